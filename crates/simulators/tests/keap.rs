//! The Keap simulator over HTTP.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::time::Instant;

use chrono::Duration;
use mfh_simulators::faults::{Fault, FaultRule};
use mfh_simulators::keap::{CLIENT_ID, CLIENT_SECRET, Limits};
use reqwest::Method;
use serde_json::{Value, json};
use support::Fixture;

/// A seeded contact with two e-mail addresses, two phones, an address and custom field values.
const RICH: &str = "1001";

#[tokio::test]
async fn paging_visits_each_contact_once_in_every_order() {
    let it = Fixture::new().await;
    for order in ["id asc", "id desc", "email asc", "create_time desc", "update_time"] {
        let ids = it
            .all_ids("contacts", &format!("/contacts?page_size=30&order_by={order}"))
            .await;
        let distinct: BTreeSet<_> = ids.iter().collect();
        assert_eq!((ids.len(), distinct.len()), (200, 200), "{order}");
    }
    let first = it.read("/contacts?page_size=2").await;
    assert_eq!(first["contacts"][0]["id"], "1001");
    // A contact that comes in between is neither lost nor does it repeat another.
    let token = first["next_page_token"].as_str().unwrap();
    it.post(
        "/contacts",
        json!({ "email_addresses": [{ "email": "new@example.com" }] }),
    )
    .await;
    let second = it.read(&format!("/contacts?page_size=2&page_token={token}")).await;
    assert_eq!(second["contacts"][0]["id"], "1003");
    let (status, body) = it
        .get(&format!("/contacts?page_token={token}&filter=given_name==Amara"))
        .await;
    assert_eq!((status, body["status"].as_str()), (400, Some("INVALID_ARGUMENT")));
    assert_eq!(it.get("/contacts?page_size=1001").await.0, 400);
    assert_eq!(it.get("/contacts?order_by=shoe_size").await.0, 400);
}

#[tokio::test]
async fn contacts_are_found_by_filter() {
    let it = Fixture::new().await;
    let found = async |filter: &str| {
        let request = it
            .request(Method::GET, "/contacts")
            .query(&[("filter", filter), ("page_size", "1000")]);
        let (status, body) = it.send(request).await;
        assert_eq!(status, 200, "{filter}: {body}");
        body["contacts"].as_array().unwrap().len()
    };
    assert_eq!(found("email==AMARA.1@example.com").await, 1);
    // The second address counts as well.
    assert_eq!(found("email==amara.home1@example.com").await, 1);
    assert_eq!(found("given_name==Am*").await, 10);
    assert_eq!(found("given_name==Amara;family_name==Abernathy;").await, 1);
    assert_eq!(found("ids==1001,1002,9").await, 2);
    assert_eq!(found("contact_id>1195").await, 5);
    assert_eq!(
        found("billing_address_locality==Chandler;billing_address_country_code==USA").await,
        34
    );
    assert_eq!(found("phone_number==6025550100;phone_fields==PHONE1,PHONE2").await, 2);
    assert_eq!(found("_LeadScore>=96").await, 3);
    assert_eq!(found("_FavoriteColor==Bl*").await, 17);
    assert_eq!(found("_WantsNewsletter==true").await, 34);
    assert_eq!(found("start_update_time==2026-01-01T00:00:00.000Z").await, 0);
    for wrong in [
        "shoe_size==42",
        "email=x",
        "email==*x*",
        "ids==abc",
        "start_update_time==2026-01-01",
        "phone_number==6025550100",
        "given_name>A",
    ] {
        let request = it.request(Method::GET, "/contacts").query(&[("filter", wrong)]);
        let (status, body) = it.send(request).await;
        assert_eq!((status, body["code"].as_i64()), (400, Some(400)), "{wrong}");
    }
}

#[tokio::test]
async fn what_changed_since_a_time_is_found() {
    let it = Fixture::new().await;
    it.clock.advance(Duration::hours(1));
    it.patch("/contacts/1050?update_mask=job_title", json!({ "job_title": "Pilot" }))
        .await;
    let filter = [("filter", "start_update_time==2026-03-01T10:30:00.000+00:00")];
    let (_, body) = it.send(it.request(Method::GET, "/contacts").query(&filter)).await;
    assert_eq!(body["contacts"].as_array().unwrap().len(), 1);
    assert_eq!(body["contacts"][0]["id"], "1050");
}

#[tokio::test]
async fn a_contact_shows_the_fields_asked_for() {
    let it = Fixture::new().await;
    let plain = it.read(&format!("/contacts/{RICH}")).await;
    assert!(plain.get("custom_fields").is_none() && plain.get("tag_ids").is_none());
    let asked = it
        .read(&format!(
            "/contacts/{RICH}?fields=id,custom_fields,email_addresses,company"
        ))
        .await;
    assert_eq!(asked.as_object().unwrap().len(), 4);
    assert_eq!(asked["company"]["company_name"], "Northwind Bakery");
    assert_eq!(asked["email_addresses"][0]["email_opt_status"], "SINGLE_OPT_IN");
    assert_eq!(asked["email_addresses"][0]["is_opt_in"], true);
    // Fields without a value are listed.
    let empty = asked["custom_fields"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["content"].is_null());
    assert!(empty.count() > 10);
    assert_eq!(it.get(&format!("/contacts/{RICH}?fields=shoe_size")).await.0, 400);
    let (status, body) = it.get("/contacts/99").await;
    assert_eq!((status, body["status"].as_str()), (404, Some("NOT_FOUND")));
    assert_eq!(it.get("/contacts/not-a-number").await.0, 404);
}

#[tokio::test]
async fn a_contact_is_created_found_as_duplicate_and_deleted() {
    let it = Fixture::new().await;
    let color = it.field_id("_FavoriteColor").await;
    let body = json!({
        "given_name": "Nia", "email_addresses": [{ "email": "nia@example.com", "field": "EMAIL1" }],
        "phone_numbers": [{ "number": "6025550199", "field": "PHONE1" }],
        "company": { "company_name": "Nia & Co" },
        "custom_fields": [{ "id": color, "content": "green" }],
    });
    let fields = "fields=id,given_name,family_name,email_addresses,phone_numbers,company,custom_fields";
    let (status, new) = it.post(&format!("/contacts?{fields}"), body.clone()).await;
    assert_eq!((status, new["id"].as_str()), (201, Some("1201")));
    assert_eq!(new["phone_numbers"][0]["number_e164"], "+16025550199");
    assert_eq!(new["email_addresses"][0]["is_opt_in"], false);
    let shown = it.read("/_state?contact_id=1201").await;
    assert_eq!(shown["custom_fields"]["_FavoriteColor"], "Green");

    let mut again = body.clone();
    again["family_name"] = json!("Okafor");
    let (status, same) = it.post("/contacts?duplicate_option=Email", again.clone()).await;
    assert_eq!(
        (status, &same["id"], &same["family_name"]),
        (200, &json!("1201"), &json!("Okafor"))
    );
    again["family_name"] = json!("Other");
    let (status, other) = it.post("/contacts?duplicate_option=EmailAndName", again).await;
    assert_eq!((status, &other["id"]), (201, &json!("1202")));
    let (status, third) = it.post("/contacts", body).await;
    assert_eq!((status, &third["id"]), (201, &json!("1203")));

    assert_eq!(it.delete("/contacts/1203").await, (204, json!("")));
    assert_eq!(it.delete("/contacts/1203").await.0, 404);
    // The id does not come back.
    let (_, next) = it
        .post("/contacts", json!({ "phone_numbers": [{ "number": "1" }] }))
        .await;
    assert_eq!(next["id"], "1204");
}

#[tokio::test]
async fn a_wrong_contact_is_refused_with_the_property_at_fault() {
    let it = Fixture::new().await;
    let number = it.field_id("_LeadScore").await;
    let email = json!([{ "email": "a@example.com" }]);
    for (property, body) in [
        ("", json!({ "given_name": "No way to reach" })),
        ("", json!("not an object")),
        (
            "company_name",
            json!({ "company_name": "v1 shape", "email_addresses": email }),
        ),
        (
            "email_addresses",
            json!({ "email_addresses": [{ "email": "not-an-address" }] }),
        ),
        (
            "email_addresses.is_opt_in",
            json!({ "email_addresses": [{ "email": "a@example.com", "is_opt_in": true }] }),
        ),
        (
            "given_name",
            json!({ "given_name": "x".repeat(41), "email_addresses": email }),
        ),
        (
            "birth_date",
            json!({ "birth_date": "03/01/1990", "email_addresses": email }),
        ),
        ("owner_id", json!({ "owner_id": "77", "email_addresses": email })),
        (
            "addresses",
            json!({ "addresses": [{ "field": "BILLING", "region_code": "US-AZ" }] }),
        ),
        (
            "custom_fields",
            json!({ "custom_fields": [{ "id": number, "content": "many" }], "email_addresses": email }),
        ),
        (
            "custom_fields",
            json!({ "custom_fields": [{ "id": "999", "content": 1 }], "email_addresses": email }),
        ),
    ] {
        let (status, answer) = it.post("/contacts", body.clone()).await;
        assert_eq!(
            (status, answer["status"].as_str()),
            (400, Some("INVALID_ARGUMENT")),
            "{body}"
        );
        let details = answer["details"].as_array().unwrap();
        let named = details
            .first()
            .map_or("", |detail| detail["resource"].as_str().unwrap());
        assert_eq!(named, property, "{answer}");
    }
    assert!(it.crm.log().writes().is_empty());
}

#[tokio::test]
async fn an_update_replaces_whole_arrays_and_only_what_the_mask_names() {
    let it = Fixture::new().await;
    let before = it.read(&format!("/_state?contact_id={RICH}")).await;
    assert_eq!(before["email_addresses"].as_array().unwrap().len(), 3);
    assert_eq!(before["phone_numbers"].as_array().unwrap().len(), 2);
    let score = it.field_id("_LeadScore").await;
    let (status, _) = it
        .patch(
            &format!("/contacts/{RICH}?update_mask=email_addresses,custom_fields"),
            json!({
                "email_addresses": [{ "email": "only@example.com", "field": "EMAIL1" }],
                "custom_fields": [{ "id": score, "content": 7 }],
                "given_name": "Not in the mask",
            }),
        )
        .await;
    assert_eq!(status, 200);
    let after = it.read(&format!("/_state?contact_id={RICH}")).await;
    assert_eq!(after["email_addresses"].as_array().unwrap().len(), 1);
    assert_eq!(after["custom_fields"], json!({ "_LeadScore": 7 }));
    for kept in ["phone_numbers", "addresses", "given_name", "tags", "company"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    // Repeated parameters are a list as well; a masked property that is not sent is cleared.
    let path = format!("/contacts/{RICH}?update_mask=phone_numbers&update_mask=job_title");
    it.patch(&path, json!({ "phone_numbers": [] })).await;
    let after = it.read(&format!("/_state?contact_id={RICH}")).await;
    assert_eq!((&after["phone_numbers"], after.get("job_title")), (&json!([]), None));
    assert_eq!(it.patch("/contacts/99", json!({})).await.0, 404);
    assert_eq!(
        it.patch(&format!("/contacts/{RICH}?update_mask=shoe_size"), json!({}))
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn values_of_every_custom_field_type_are_kept_in_their_shape() {
    let it = Fixture::new().await;
    let model = it.read("/contacts/model").await;
    let types: BTreeSet<_> = model["custom_fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["field_type"].as_str().unwrap())
        .collect();
    assert_eq!(types.len(), 24);
    let values = [
        ("_LifetimeValue", json!("12.50"), json!(12.5)),
        (
            "_NextAppointment",
            json!("2026-03-01T23:30:00-05:00"),
            json!("2026-03-02T04:30:00.000Z"),
        ),
        ("_RenewalDate", json!("2026-03-01T23:30:00-05:00"), json!("2026-03-01")),
        ("_WantsNewsletter", json!(1), json!(true)),
        ("_Interests", json!("Coaching,Events"), json!(["Coaching", "Events"])),
        ("_SupportTeam", json!(["1", "2"]), json!(["1", "2"])),
        ("_AccountManager", json!(2), json!("2")),
        ("_Founded", json!("1999"), json!(1999)),
        ("_InternalNote", json!(5), json!("5")),
    ];
    let mut sent = Vec::new();
    for (name, value, _) in &values {
        sent.push(json!({ "id": it.field_id(name).await, "content": value }));
    }
    let (status, body) = it
        .patch(
            "/contacts/1002?update_mask=custom_fields",
            json!({ "custom_fields": sent }),
        )
        .await;
    assert_eq!(status, 200, "{body}");
    let state = it.read("/_state?contact_id=1002").await;
    for (name, _, kept) in values {
        assert_eq!(state["custom_fields"][name], kept, "{name}");
    }
    for (name, wrong) in [
        ("_FavoriteColor", json!("Mauve")),
        ("_BirthMonth", json!(13)),
        ("_AccountManager", json!("77")),
        ("_Founded", json!(1999.5)),
        ("_NextAppointment", json!("tomorrow")),
    ] {
        let sent = json!({ "custom_fields": [{ "id": it.field_id(name).await, "content": wrong }] });
        assert_eq!(it.patch("/contacts/1002", sent).await.0, 400, "{name}");
    }
    let new = json!({ "label": "Shoe size", "field_type": "DECIMAL_NUMBER" });
    let (status, field) = it.post("/contacts/model/customFields", new.clone()).await;
    assert_eq!((status, field["field_name"].as_str()), (201, Some("_Shoesize")));
    assert_eq!(it.post("/contacts/model/customFields", new).await.0, 409);
}

#[tokio::test]
async fn tags_are_applied_once_removed_once_and_listed() {
    let it = Fixture::new().await;
    assert_eq!(it.all_ids("tags", "/tags?page_size=7").await.len(), 30);
    let new = json!({ "name": "Brand new", "category": { "id": "11" } });
    let (status, tag) = it.post("/tags", new.clone()).await;
    assert_eq!((status, tag["category"]["id"].as_str()), (201, Some("11")));
    assert_eq!(it.post("/tags", new).await.0, 409);
    assert_eq!(it.post("/tags", json!({ "name": " " })).await.0, 400);
    assert_eq!(
        it.post("/tags", json!({ "name": "x", "category": { "id": "999" } }))
            .await
            .0,
        400
    );
    let id = tag["id"].as_str().unwrap();
    assert_eq!(it.read(&format!("/tags/{id}")).await["name"], "Brand new");
    assert_eq!(it.get("/tags/1").await.0, 404);

    let apply = format!("/tags/{id}/contacts:applyTags");
    let (status, body) = it.post(&apply, json!({ "contact_ids": ["1001", "1002", "99"] })).await;
    let expected = json!({ "1001": "SUCCESS", "1002": "SUCCESS", "99": "CONTACT_DOES_NOT_EXIST" });
    assert_eq!((status, &body["results"]), (200, &expected));
    it.clock.advance(Duration::seconds(1));
    let (_, body) = it.post(&apply, json!({ "contact_ids": ["1003", "1001"] })).await;
    assert_eq!(body["results"]["1001"], "DUPLICATE");
    let tagged = format!("/tags/{id}/contacts?page_size=2&order_by=applied_time");
    assert_eq!(it.all_ids("contacts", &tagged).await, ["1001", "1002", "1003"]);
    let of_contact = it.read("/contacts/1003/tags?filter=name==Brand*").await;
    assert_eq!(of_contact["tags"][0]["tag"]["id"], id);
    assert_eq!(of_contact["tags"][0]["applied_time"], "2026-03-01T10:00:01.000Z");
    assert_eq!(
        it.post("/tags/1/contacts:applyTags", json!({ "contact_ids": ["1001"] }))
            .await
            .0,
        404
    );

    let remove = format!("/tags/{id}/contacts:removeTags");
    for _ in 0..2 {
        assert_eq!(it.post(&remove, json!({ "contact_ids": ["1001"] })).await.0, 204);
    }
    let contact = it.read("/contacts/1001?fields=tag_ids").await;
    assert!(!contact["tag_ids"].as_array().unwrap().contains(&json!(id)));
    let writes = it.crm.log().writes();
    let of_one: Vec<_> = writes
        .iter()
        .filter(|write| write.contact_id.as_deref() == Some("1001"))
        .map(|write| (write.op.as_str(), write.changed))
        .collect();
    assert_eq!(
        of_one,
        [
            ("apply_tag", true),
            ("apply_tag", false),
            ("remove_tag", true),
            ("remove_tag", false)
        ]
    );
}

#[tokio::test]
async fn tag_categories_are_listed_created_and_read() {
    let it = Fixture::new().await;
    assert_eq!(
        it.all_ids("tag_categories", "/tags/categories?page_size=3").await.len(),
        4
    );
    let (status, category) = it.post("/tags/categories", json!({ "name": "Seasons" })).await;
    assert_eq!(status, 201);
    assert_eq!(it.post("/tags/categories", json!({ "name": "seasons" })).await.0, 409);
    let id = category["id"].as_str().unwrap();
    assert_eq!(it.read(&format!("/tags/categories/{id}")).await["name"], "Seasons");
    let none = it.read("/tags?filter=category_id==NONE").await;
    assert_eq!(none["tags"], json!([]));
    let first = it.read("/tags?filter=category_id==11").await;
    assert_eq!(first["tags"].as_array().unwrap().len(), 8);
}

#[tokio::test]
async fn goals_are_achieved_for_existing_contacts_in_published_automations() {
    let it = Fixture::new().await;
    let achieve = async |body: Value| it.post("/automations/goals/achieve", body).await;
    let by_name = |contact: u64, call: &str| json!({ "contact_id": contact, "integration": "mfh", "call_name": call });
    let (status, body) = achieve(by_name(1001, "formcompleted")).await;
    assert_eq!((status, body["results"][0]["success"].as_bool()), (200, Some(true)));
    let (_, body) = achieve(json!({ "contact_id": 1001, "automation_id": 22, "goal_id": 2201 })).await;
    assert_eq!(body["results"][0]["goal_id"], 2201);
    assert_eq!(achieve(by_name(1001, "nosuchgoal")).await.1["results"], json!([]));
    let (_, body) = achieve(by_name(99, "formcompleted")).await;
    assert_eq!(body["results"][0]["success"], false);
    let (_, body) = achieve(by_name(1001, "reactivated")).await;
    assert_eq!(body["results"][0]["success"], false);
    let mut both = by_name(1001, "formcompleted");
    both["goal_id"] = json!(2101);
    assert_eq!(achieve(both).await.0, 400);
    assert_eq!(
        achieve(json!({ "contact_id": "1001", "integration": "mfh", "call_name": "x" }))
            .await
            .0,
        400
    );
    let state = it.read("/_state?contact_id=1001").await;
    let calls: Vec<_> = state["goals_achieved"]
        .as_array()
        .unwrap()
        .iter()
        .map(|goal| &goal["call_name"])
        .collect();
    assert_eq!(calls, ["formcompleted", "contractsigned"]);
    assert_eq!(state["sequences_entered"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn contacts_enter_sequences_once() {
    let it = Fixture::new().await;
    let automations = it.read("/automations?page_size=25").await;
    assert_eq!(automations["automations"].as_array().unwrap().len(), 3);
    assert_eq!(it.get("/automations?page_size=26").await.0, 400);
    assert_eq!(it.read("/automations/23").await["status"], "DRAFT");
    let some = json!({ "contact_ids": ["1001", "99"] });
    let path = "/automations/21/sequences/211:addContacts";
    let (status, body) = it.post(path, some.clone()).await;
    let results = &body["add_to_automation_sequence_results"];
    assert_eq!(
        (status, &results["1001"], &results["99"]),
        (200, &json!("SUCCESS"), &json!("CONTACT_DOES_NOT_EXIST"))
    );
    let (_, body) = it.post("/campaigns/21/sequences/211:addContacts", some.clone()).await;
    assert_eq!(body["add_to_sequence_results"]["1001"], "ALREADY_IN_SEQUENCE");
    let (_, body) = it.post("/automations/23/sequences/231:addContacts", some.clone()).await;
    assert_eq!(body["add_to_automation_sequence_results"]["1001"], "FAILED");
    assert_eq!(it.read("/automations/21").await["active_contacts"], 1);
    assert_eq!(it.read("/campaigns/21").await["active_contact_count"], 1);
    let (_, body) = it
        .post("/campaigns/21/sequences/211:removeContacts", some.clone())
        .await;
    assert_eq!(body["remove_from_sequence_results"]["1001"], "SUCCESS");
    assert_eq!(it.read("/automations/21").await["active_contacts"], 0);
    for wrong in [
        "/automations/21/sequences/222:addContacts",
        "/automations/99/sequences/211:addContacts",
        "/automations/21/sequences/211:paint",
        "/automations/21/sequences/211",
    ] {
        assert_eq!(it.post(wrong, some.clone()).await.0, 404, "{wrong}");
    }
    let sequences = it.read("/campaigns/22/sequences").await;
    assert_eq!(sequences["sequences"].as_array().unwrap().len(), 2);
    assert_eq!(
        it.read("/campaigns/22/goals").await["goals"][0]["name"],
        "Contract Signed"
    );
    assert_eq!(
        it.all_ids("campaigns", "/campaigns?page_size=2").await,
        ["21", "22", "23"]
    );
}

#[tokio::test]
async fn opt_in_takes_effect_only_from_the_states_that_allow_it() {
    let it = Fixture::new().await;
    let set = async |email: &str, opted_in: bool| {
        let body = json!({ "opted_in": opted_in, "reason": "asked for it" });
        it.patch(&format!("/emailAddresses/{email}/status"), body).await
    };
    // Unsubscribed by the person: stays so.
    let (status, body) = set("greta.7@example.com", true).await;
    assert_eq!(
        (status, &body["opted_in"], &body["status"]),
        (200, &json!(false), &json!("LIST_UNSUBSCRIBE"))
    );
    // Opted out by hand: may come back, and go again.
    let (_, body) = set("hiro.8@example.com", true).await;
    assert_eq!(
        (&body["opted_in"], &body["status"]),
        (&json!(true), &json!("SINGLE_OPT_IN"))
    );
    let (_, body) = set("hiro.8%40example.com", false).await;
    assert_eq!((&body["opted_in"], &body["status"]), (&json!(false), &json!("MANUAL")));
    assert_eq!(
        it.read("/emailAddresses/hiro.8@example.com/status").await["status"],
        "MANUAL"
    );
    assert_eq!(set("nobody@example.com", true).await.0, 404);
    let empty = json!({ "opted_in": true, "reason": "" });
    assert_eq!(
        it.patch("/emailAddresses/hiro.8@example.com/status", empty).await.0,
        400
    );
    // A reason inside a contact opts in as well; leaving it out does not.
    let contact =
        |reason: Value| json!({ "email_addresses": [{ "email": "fresh@example.com", "opt_in_reason": reason }] });
    let (_, new) = it.post("/contacts", contact(json!(null))).await;
    assert_eq!(new["email_addresses"][0]["email_opt_status"], "NON_MARKETABLE");
    let id = new["id"].as_str().unwrap();
    let (_, updated) = it.patch(&format!("/contacts/{id}"), contact(json!("asked"))).await;
    assert_eq!(updated["email_addresses"][0]["email_opt_status"], "SINGLE_OPT_IN");
}

#[tokio::test]
async fn notes_are_written_read_changed_and_deleted() {
    let it = Fixture::new().await;
    let path = "/contacts/1001/notes";
    let (status, note) = it
        .post(path, json!({ "user_id": "1", "title": "Call", "text": "Rang twice" }))
        .await;
    assert_eq!((status, &note["contact_id"]), (201, &json!("1001")));
    assert_eq!(
        it.post(path, json!({ "user_id": "1", "text": "no title" })).await.0,
        400
    );
    assert_eq!(it.post(path, json!({ "title": "no user" })).await.0, 400);
    assert_eq!(it.post(path, json!({ "user_id": "77", "title": "x" })).await.0, 400);
    assert_eq!(
        it.post("/contacts/99/notes", json!({ "user_id": "1", "title": "x" }))
            .await
            .0,
        404
    );
    let id = note["id"].as_str().unwrap();
    let one = format!("{path}/{id}");
    let (status, changed) = it
        .patch(
            &format!("{one}?update_mask=text"),
            json!({ "user_id": "2", "text": "Thrice" }),
        )
        .await;
    assert_eq!(
        (status, &changed["text"], &changed["title"]),
        (200, &json!("Thrice"), &json!("Call"))
    );
    assert_eq!(it.read(&one).await["assigned_to_user"]["id"], "1");
    assert_eq!(it.get(&format!("/contacts/1002/notes/{id}")).await.0, 404);
    assert_eq!(it.all_ids("notes", path).await, [id]);
    assert_eq!(it.delete(&one).await.0, 204);
    assert_eq!(it.get(&one).await.0, 404);
}

#[tokio::test]
async fn users_and_the_connected_user_are_shown() {
    let it = Fixture::new().await;
    assert_eq!(it.all_ids("users", "/users?page_size=2").await.len(), 3);
    assert_eq!(
        it.all_ids("users", "/users?filter=include_inactive==true").await.len(),
        4
    );
    assert_eq!(it.read("/users/2").await["given_name"], "Miguel");
    assert_eq!(it.get("/users/77").await.0, 404);
    let info = it.read("/oauth/connect/userinfo").await;
    assert_eq!(
        (&info["tenant_id"], &info["keap_id"]),
        (&json!("kd241"), &json!("dana@example.com"))
    );
}

#[tokio::test]
async fn unknown_paths_and_methods_answer_in_the_vendors_shape() {
    let it = Fixture::new().await;
    let (status, body) = it.get("/funnel/achieve").await;
    assert_eq!(
        (status, &body["code"], &body["status"]),
        (404, &json!(404), &json!("NOT_FOUND"))
    );
    let (status, body) = it.delete("/tags").await;
    assert_eq!((status, &body["code"]), (405, &json!(405)));
}

#[tokio::test]
async fn a_code_becomes_tokens_once_and_tokens_expire() {
    let mut it = Fixture::new().await;
    it.token = "unknown".to_owned();
    let (status, body) = it.get("/users").await;
    assert_eq!(status, 401);
    assert_eq!(
        body["fault"]["detail"]["errorcode"],
        "keymanagement.service.invalid_access_token"
    );

    let query = [
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("state", "s1"),
        ("redirect_uri", "http://localhost/callback"),
    ];
    let consent = it
        .request(Method::GET, "/app/oauth/authorize")
        .query(&query)
        .send()
        .await
        .unwrap();
    let location = consent.headers()["location"].to_str().unwrap();
    let back = reqwest::Url::parse(location).unwrap();
    let code = back
        .query_pairs()
        .find(|(name, _)| name == "code")
        .unwrap()
        .1
        .into_owned();
    assert!(location.ends_with("&state=s1"));
    let exchange = |code: &str, redirect: &str| {
        it.request(Method::POST, "/token").form(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("client_id", CLIENT_ID),
            ("client_secret", CLIENT_SECRET),
        ])
    };
    assert_eq!(
        it.send(exchange(&code, "http://elsewhere/")).await.1["error"],
        "invalid_grant"
    );
    let (status, tokens) = it.send(exchange(&code, "http://localhost/callback")).await;
    assert_eq!((status, &tokens["expires_in"]), (200, &json!(86_400)));
    assert_eq!(it.send(exchange(&code, "http://localhost/callback")).await.0, 400);

    tokens["access_token"].as_str().unwrap().clone_into(&mut it.token);
    assert_eq!(it.get("/users").await.0, 200);
    it.clock.advance(Duration::hours(24));
    let (status, body) = it.get("/users").await;
    assert_eq!(status, 401);
    assert_eq!(
        body["fault"]["detail"]["errorcode"],
        "keymanagement.service.access_token_expired"
    );
}

#[tokio::test]
async fn a_refresh_token_works_once_and_only_with_the_client_as_basic_auth() {
    let mut it = Fixture::new().await;
    let first = it.crm.issue_tokens().unwrap();
    let refresh = |token: &str| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        it.request(Method::POST, "/token").form(&form)
    };
    let (status, body) = it.send(refresh(&first.refresh_token)).await;
    assert_eq!((status, &body["error"]), (401, &json!("invalid_client")));
    let with_client = |token: &str| refresh(token).basic_auth(CLIENT_ID, Some(CLIENT_SECRET));
    let (status, second) = it.send(with_client(&first.refresh_token)).await;
    assert_eq!(status, 200);
    let (status, body) = it.send(with_client(&first.refresh_token)).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")));
    // The new pair is good, and refreshing did not spoil it.
    let (status, _) = it.send(with_client(second["refresh_token"].as_str().unwrap())).await;
    assert_eq!(status, 200);
    second["access_token"].as_str().unwrap().clone_into(&mut it.token);
    assert_eq!(it.get("/users").await.0, 200);
    it.crm.expire_tokens().unwrap();
    assert_eq!(it.get("/users").await.0, 401);
}

#[tokio::test]
async fn every_answer_has_quota_headers_and_a_limit_is_enforced_without_retry_after() {
    let it = Fixture::new().await;
    it.crm.set_limits(Limits {
        per_second: Some(2),
        per_minute: Some(3),
        per_day: None,
    });
    let answer = async || it.request(Method::GET, "/users").send().await.unwrap();
    let first = answer().await;
    let header = |name: &str| first.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("x-keap-product-throttle-limit"), "3");
    assert_eq!(header("x-keap-product-throttle-available"), "2");
    assert_eq!(header("x-keap-product-quota-limit"), "30000");
    assert_eq!(header("x-keap-product-quota-used"), "1");
    assert_eq!(header("x-keap-tenant-throttle-limit"), "10000");
    assert_eq!(answer().await.status(), 200);
    let refused = answer().await;
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().get("retry-after").is_none());
    assert!(refused.headers().get("x-keap-product-quota-limit").is_some());
    let body: Value = refused.json().await.unwrap();
    assert_eq!(
        body,
        json!({ "code": "429", "message": "Quota Exceeded", "status": "Request Throttled" })
    );
    it.clock.advance(Duration::seconds(1));
    assert_eq!(answer().await.status(), 200);
    assert_eq!(answer().await.status(), 429);
    it.clock.advance(Duration::minutes(1));
    assert_eq!(answer().await.status(), 200);
}

#[tokio::test]
async fn faults_spoil_the_requests_that_they_name() {
    let it = Fixture::new().await;
    let rules = json!([
        { "method": "POST", "path_contains": "/tags", "skip": 1, "times": 1, "kind": "status", "status": 429, "retry_after": 3 },
        { "path_contains": "/users", "times": "always", "kind": "html" },
    ]);
    assert_eq!(it.post("/_control/faults", rules).await.0, 200);
    assert_eq!(
        it.post("/_control/faults", json!({ "kind": "unheard of" })).await.0,
        400
    );
    assert_eq!(it.post("/tags", json!({ "name": "a" })).await.0, 201);
    let request = it.request(Method::POST, "/tags").json(&json!({ "name": "b" }));
    let throttled = request.send().await.unwrap();
    assert_eq!(
        (throttled.status().as_u16(), &throttled.headers()["retry-after"]),
        (429, &"3".parse().unwrap())
    );
    assert_eq!(it.post("/tags", json!({ "name": "b" })).await.0, 201);
    for _ in 0..3 {
        let (status, page) = it.get("/users").await;
        assert_eq!(status, 502);
        assert!(page.as_str().unwrap().starts_with("<html>"));
    }
    assert_eq!(it.delete("/_control/faults").await.0, 204);
    assert_eq!(it.get("/users").await.0, 200);
    assert_eq!(it.crm.log().requests()[1].fault, Some("status"));

    it.crm.faults().add(FaultRule::new(Fault::Malformed).on("GET", "/tags"));
    assert!(it.get("/tags").await.1.is_string());
    it.crm.faults().add(FaultRule::new(Fault::Slow { ms: 1 }));
    assert_eq!(it.get("/tags").await.0, 200);
    it.crm.faults().add(FaultRule::status(401));
    assert!(it.get("/tags").await.1["fault"].is_object());
}

#[tokio::test]
async fn a_cut_connection_is_a_network_error_and_only_cut_after_applies_the_request() {
    let it = Fixture::new().await;
    for recording in [false, true] {
        if recording {
            it.crm.log().record_exchanges();
        }
        let create = |name: String| it.request(Method::POST, "/tags").json(&json!({ "name": name })).send();
        it.crm.faults().add(FaultRule::new(Fault::Cut).on("POST", "/tags"));
        let error = create(format!("cut {recording}")).await.unwrap_err();
        assert!(error.is_request() && !error.is_connect(), "{error:?}");
        it.crm.faults().add(FaultRule::new(Fault::CutAfter).on("POST", "/tags"));
        let error = create(format!("cut after {recording}")).await.unwrap_err();
        assert!(error.is_request(), "{error:?}");
    }
    let found = it.read("/tags?filter=name==cut*").await;
    let names: Vec<_> = found["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| &tag["name"])
        .collect();
    assert_eq!(names, ["cut after false", "cut after true"]);
}

#[tokio::test]
async fn the_log_tells_writes_in_order_with_the_request_that_made_them() {
    let it = Fixture::new().await;
    let request = it.request(Method::PATCH, "/contacts/1001?update_mask=given_name");
    it.send(
        request
            .header("x-request-id", "exec-1")
            .json(&json!({ "given_name": "Zoe" })),
    )
    .await;
    it.post("/tags/101/contacts:applyTags", json!({ "contact_ids": ["1002"] }))
        .await;
    let log = it.read("/_log").await;
    assert_eq!(log[0]["n"], 1);
    assert_eq!(log[0]["op"], "update_contact");
    assert_eq!(log[0]["fields"], json!({ "given_name": "Zoe" }));
    assert_eq!(log[0]["request_id"], "exec-1");
    assert_eq!((&log[1]["op"], &log[1]["tag_id"]), (&json!("apply_tag"), &json!("101")));
    assert_eq!(it.read("/_log?contact_id=1002").await.as_array().unwrap().len(), 1);
    assert_eq!(it.read("/_log?after=1").await.as_array().unwrap().len(), 1);
    let requests = it.read("/_log/requests").await;
    assert_eq!(
        (&requests[0]["method"], &requests[0]["path"]),
        (&json!("PATCH"), &json!("/rest/v2/contacts/1001"))
    );
    assert_eq!(it.send(it.request(Method::POST, "/_reset")).await.0, 204);
    assert_eq!(it.read("/_log").await, json!([]));
    assert_eq!(it.read("/contacts/1001").await["given_name"], "Amara");
}

#[tokio::test]
async fn a_restart_keeps_state_tokens_and_log() {
    let dir = tempfile::tempdir().unwrap();
    let crashed = tempfile::tempdir().unwrap();
    let (before, tokens) = {
        let it = Fixture::open(Some(dir.path())).await;
        it.post(
            "/contacts",
            json!({ "email_addresses": [{ "email": "stay@example.com" }] }),
        )
        .await;
        it.post("/tags/101/contacts:applyTags", json!({ "contact_ids": ["1201"] }))
            .await;
        it.post("/contacts/1201/notes", json!({ "user_id": "1", "title": "Hello" }))
            .await;
        it.post(
            "/automations/goals/achieve",
            json!({ "contact_id": 1201, "integration": "mfh", "call_name": "formcompleted" }),
        )
        .await;
        it.delete("/contacts/1005").await;
        let tokens = it.crm.issue_tokens().unwrap();
        // The files as a killed process leaves them behind: nothing was closed or flushed.
        for file in ["keap.sqlite", "keap.sqlite-wal"] {
            std::fs::copy(dir.path().join(file), crashed.path().join(file)).unwrap();
        }
        ((it.read("/_state").await, it.read("/_log").await), tokens)
    };
    let killed = Fixture::open(Some(crashed.path())).await;
    let found = (killed.read("/_state").await, killed.read("/_log").await);
    assert_eq!(found, before);
    let mut it = Fixture::open(Some(dir.path())).await;
    assert_eq!((it.read("/_state").await, it.read("/_log").await), before);
    it.token = tokens.access_token;
    let (_, next) = it
        .post(
            "/contacts",
            json!({ "email_addresses": [{ "email": "next@example.com" }] }),
        )
        .await;
    assert_eq!(next["id"], "1202");
    let log = it.read("/_log").await;
    assert_eq!(log.as_array().unwrap().last().unwrap()["n"], 6);
}

#[tokio::test]
async fn stored_writes_are_fast_enough_for_load_tests() {
    let dir = tempfile::tempdir().unwrap();
    let it = Fixture::open(Some(dir.path())).await;
    let started = Instant::now();
    for n in 0..2_000 {
        let path = format!("/tags/{}/contacts:applyTags", 101 + n / 200);
        let contact = (1001 + n % 200).to_string();
        it.post(&path, json!({ "contact_ids": [contact] })).await;
    }
    let took = started.elapsed();
    println!("2000 stored writes one after the other in {took:?}");
    assert_eq!(it.crm.log().writes().len(), 2_000);
    // The promise is a second for several clients at once; one client on a busy machine gets twenty.
    assert!(took.as_secs() < 20, "{took:?}");
}

#[tokio::test]
async fn nested_below_a_path_it_serves_and_logs_its_own_paths() {
    let it = Fixture::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().nest("/_sim/keap", it.crm.router());
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let get = async |path: &str| {
        let request = it.http.get(format!("{origin}/_sim/keap{path}")).bearer_auth(&it.token);
        it.send(request).await
    };
    assert_eq!(get("/rest/v2/tags/101").await.0, 200);
    assert_eq!(get("/_state?contact_id=1001").await.0, 200);
    assert_eq!(get("/rest/v2/nowhere").await.1["status"], "NOT_FOUND");
    assert_eq!(it.crm.log().requests()[0].path, "/rest/v2/tags/101");
    server.abort();
}

#[tokio::test]
async fn the_demo_account_is_the_same_every_time() {
    let (one, other) = (Fixture::new().await, Fixture::new().await);
    let state = one.read("/_state").await;
    assert_eq!(state, other.read("/_state").await);
    assert_eq!(state["contacts"].as_array().unwrap().len(), 200);
    let state = state.to_string();
    assert!(!state.contains("example.org") && state.contains("@example.com"));
}
