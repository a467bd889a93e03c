//! Every answer of the Keap simulator fits the vendor's own description.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeSet;

use mfh_simulators::Keap;
use mfh_simulators::openapi::{Description, KEAP_GAPS, vendor_file};
use reqwest::Method;
use serde_json::{Value, json};
use support::Fixture;

fn description() -> Option<Description> {
    let Some(file) = vendor_file("keap/keap-rest-v2.openapi.yml") else {
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "the vendor descriptions are missing: set MFH_VENDOR_DIR to their folder"
        );
        println!("vendor descriptions not found, skipping");
        return None;
    };
    Some(Description::load(&file).unwrap())
}

/// One call of each operation, some with their errors.
async fn tour(it: &Fixture<Keap>) {
    let all = "addresses,anniversary_date,birth_date,company,contact_type,create_time,custom_fields,email_addresses,\
               family_name,fax_numbers,given_name,id,job_title,leadsource_id,links,middle_name,notes,origin,owner_id,\
               phone_numbers,preferred_locale,preferred_name,prefix,referral_code,score_value,social_accounts,\
               source_type,spouse_name,suffix,tag_ids,time_zone,update_time,utm_parameters,website";
    for path in [
        &format!("/contacts?page_size=1000&order_by=id asc&fields={all}"),
        &format!("/contacts/1001?fields={all}"),
        "/contacts?page_size=3&filter=given_name==Am*",
        "/contacts?filter=wrong",
        "/contacts/99",
        "/contacts/model",
        "/contacts/1001/tags?page_size=2&order_by=applied_time desc",
        "/tags?page_size=1000",
        "/tags/101",
        "/tags/categories",
        "/tags/categories/11",
        "/tags/101/contacts?order_by=applied_time&page_size=5",
        "/automations?page_size=25",
        "/automations/21",
        "/campaigns",
        "/campaigns/21",
        "/campaigns/21/sequences",
        "/campaigns/21/goals",
        "/emailAddresses/amara.1@example.com/status",
        "/emailAddresses/nobody@example.com/status",
        "/orders?filter=contact_id==1001&order_by=order_time desc&page_size=1",
        "/subscriptions?filter=contact_id==1001&order_by=id asc&page_size=1",
        "/opportunities?filter=contact_id==1001&order_by=created_time asc&page_size=1",
        "/paymentMethods?filter=contact_id==1001&order_by=created_time asc&page_size=1",
        "/sales/transactions?filter=contact_id==1001&order_by=transaction_time asc&page_size=1",
        "/emailAddresses?filter=emails==amara.1@example.com",
        "/emails?filter=contact_id==1001&page_size=1000",
        "/users?page_size=10",
        "/users/1",
        "/oauth/connect/userinfo",
    ] {
        it.get(path).await;
    }
    tour_of_writes(it).await;
}

async fn tour_of_writes(it: &Fixture<Keap>) {
    let email = json!([{ "email": "tour@example.com", "field": "EMAIL1", "opt_in_reason": "asked" }]);
    let contact = json!({
        "given_name": "Tour", "email_addresses": email,
        "phone_numbers": [{ "number": "6025550111", "field": "PHONE1" }],
        "addresses": [{ "field": "SHIPPING", "line1": "1 Main Street", "country_code": "USA" }],
        "fax_numbers": [{ "number": "6025550112", "field": "FAX1" }],
        "social_accounts": [{ "type": "LINKED_IN", "name": "tour" }],
        "company": { "company_name": "Tour Inc" },
        "custom_fields": [{ "id": it.field_id("_LeadScore").await, "content": 3 }],
    });
    it.post("/contacts", contact.clone()).await;
    it.post("/contacts?duplicate_option=Email&fields=id,custom_fields", contact)
        .await;
    it.post("/contacts", json!({ "given_name": "Unreachable" })).await;
    it.patch(
        "/contacts/1201?update_mask=given_name,company&fields=company",
        json!({ "given_name": "Trip" }),
    )
    .await;
    it.post(
        "/contacts/model/customFields",
        json!({ "label": "Tour", "field_type": "TEXT" }),
    )
    .await;
    it.post("/tags", json!({ "name": "Tour", "category": { "id": "11" } }))
        .await;
    it.post("/tags", json!({ "name": "Tour" })).await;
    it.post("/tags/categories", json!({ "name": "Tours" })).await;
    let contacts = json!({ "contact_ids": ["1201", "99"] });
    for path in [
        "/tags/101/contacts:applyTags",
        "/tags/101/contacts:removeTags",
        "/automations/21/sequences/211:addContacts",
        "/campaigns/21/sequences/211:addContacts",
        "/campaigns/21/sequences/211:removeContacts",
        "/tags/9/contacts:applyTags",
    ] {
        it.post(path, contacts.clone()).await;
    }
    for contact in [1201, 99] {
        let goal = json!({ "contact_id": contact, "integration": "mfh", "call_name": "formcompleted" });
        it.post("/automations/goals/achieve", goal).await;
    }
    let opt_out = json!({ "opted_in": false, "reason": "asked" });
    it.patch("/emailAddresses/tour@example.com/status", opt_out).await;
    let note = json!({ "user_id": "1", "title": "Note", "text": "Text", "type": "Call", "is_pinned": true });
    it.post("/contacts/1201/notes", note.clone()).await;
    it.get("/contacts/1201/notes").await;
    it.get("/contacts/1201/notes/5001").await;
    it.patch("/contacts/1201/notes/5001?update_mask=title", note).await;
    it.delete("/contacts/1201/notes/5001").await;
    it.delete("/contacts/1201").await;
    it.delete("/tags").await;
    it.crm.set_limits(mfh_simulators::keap::Limits {
        per_second: Some(0),
        per_minute: None,
        per_day: None,
    });
    it.get("/users").await;
    it.crm.set_limits(mfh_simulators::keap::Limits::default());
    let request = it.request(Method::GET, "/users").bearer_auth("wrong");
    it.send(request).await;
}

/// The operations that the simulator serves.
const SERVED: [&str; 41] = [
    "GET /rest/v2/emailAddresses",
    "GET /rest/v2/emails",
    "GET /rest/v2/opportunities",
    "GET /rest/v2/orders",
    "GET /rest/v2/paymentMethods",
    "GET /rest/v2/sales/transactions",
    "GET /rest/v2/subscriptions",
    "DELETE /rest/v2/contacts/{contact_id}",
    "DELETE /rest/v2/contacts/{contact_id}/notes/{note_id}",
    "GET /rest/v2/automations",
    "GET /rest/v2/automations/{automation_id}",
    "GET /rest/v2/campaigns",
    "GET /rest/v2/campaigns/{campaign_id}",
    "GET /rest/v2/campaigns/{campaign_id}/goals",
    "GET /rest/v2/campaigns/{campaign_id}/sequences",
    "GET /rest/v2/contacts",
    "GET /rest/v2/contacts/model",
    "GET /rest/v2/contacts/{contact_id}",
    "GET /rest/v2/contacts/{contact_id}/notes",
    "GET /rest/v2/contacts/{contact_id}/notes/{note_id}",
    "GET /rest/v2/contacts/{contact_id}/tags",
    "GET /rest/v2/emailAddresses/{email}/status",
    "GET /rest/v2/oauth/connect/userinfo",
    "GET /rest/v2/tags",
    "GET /rest/v2/tags/categories",
    "GET /rest/v2/tags/categories/{tag_category_id}",
    "GET /rest/v2/tags/{tag_id}",
    "GET /rest/v2/tags/{tag_id}/contacts",
    "GET /rest/v2/users",
    "GET /rest/v2/users/{user_id}",
    "PATCH /rest/v2/contacts/{contact_id}",
    "PATCH /rest/v2/contacts/{contact_id}/notes/{note_id}",
    "PATCH /rest/v2/emailAddresses/{email}/status",
    "POST /rest/v2/automations/goals/achieve",
    "POST /rest/v2/automations/{automation_id}/sequences/{sequence_id}:addContacts",
    "POST /rest/v2/campaigns/{campaign_id}/sequences/{sequence_id}:addContacts",
    "POST /rest/v2/contacts",
    "POST /rest/v2/contacts/model/customFields",
    "POST /rest/v2/contacts/{contact_id}/notes",
    "POST /rest/v2/tags",
    "POST /rest/v2/tags/categories",
];
const SERVED_ACTIONS: [&str; 3] = [
    "POST /rest/v2/campaigns/{campaign_id}/sequences/{sequence_id}:removeContacts",
    "POST /rest/v2/tags/{tag_id}/contacts:applyTags",
    "POST /rest/v2/tags/{tag_id}/contacts:removeTags",
];

#[tokio::test]
async fn every_exchange_of_a_tour_fits_the_vendors_description() {
    let Some(description) = description() else {
        return;
    };
    let it = Fixture::new().await;
    it.crm.log().record_exchanges();
    tour(&it).await;
    let exchanges = it.crm.log().exchanges();
    let mut violations = Vec::new();
    let mut visited = BTreeSet::new();
    for exchange in &exchanges {
        // A wrong method on purpose: it is no operation, so there is nothing to compare with.
        if exchange.request.status == 405 {
            continue;
        }
        violations.extend(description.check(exchange, KEAP_GAPS));
        if exchange.request.status < 300 {
            visited.extend(description.operation_of(&exchange.request.method, &exchange.request.path));
        }
    }
    let told: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
    let served: BTreeSet<String> = SERVED
        .iter()
        .chain(&SERVED_ACTIONS)
        .map(|name| (*name).to_owned())
        .collect();
    assert_eq!(visited, served);
}

#[tokio::test]
async fn the_check_finds_a_request_in_the_shape_of_the_old_api() {
    let Some(description) = description() else {
        return;
    };
    let it = Fixture::new().await;
    it.crm.log().record_exchanges();
    it.get("/contacts?limit=25&offset=0").await;
    it.get("/contacts?page_size=2000").await;
    it.post("/funnel/achieve", json!({})).await;
    let exchanges = it.crm.log().exchanges();
    let rules: Vec<Vec<Value>> = exchanges
        .iter()
        .map(|exchange| {
            let found = description.check(exchange, KEAP_GAPS);
            found
                .iter()
                .map(|violation| format!("{:?}", violation.rule).into())
                .collect()
        })
        .collect();
    // The simulator refused the second one itself, so the description has nothing to add.
    assert_eq!(
        rules,
        [vec![json!("Query"), json!("Query")], vec![], vec![json!("Operation")]]
    );
}
