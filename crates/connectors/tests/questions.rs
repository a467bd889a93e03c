//! Questions about a contact's records and e-mails, in front of the Keap simulator.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use mfh_connectors::{Connector, EmailEvent, End, ErrorKind, Question, RecordKind};
use mfh_simulators::keap::PERSONAL_ACCESS_TOKEN;
use mfh_simulators::{Keap, Server};
use mfh_types::SeededRandom;
use serde_json::{Value, json};
use support::World;

/// A contact with sales, and one without.
const BUYER: &str = "1001";
const BROWSER: &str = "1004";

struct Bench {
    _server: Server,
    keap: Arc<dyn Connector>,
}

impl Bench {
    async fn start() -> Self {
        let world = World::new();
        let simulator = Keap::open(None, world.clock.clone(), Arc::new(SeededRandom::new(1))).unwrap();
        let server = simulator.start().await.unwrap();
        let keap = world.connect("keap", &server.base_url(), PERSONAL_ACCESS_TOKEN);
        Self { _server: server, keap }
    }

    async fn related(&self, contact: &str, record: RecordKind, end: End, column: &str) -> Value {
        let column = column.to_owned();
        self.keap
            .ask(contact, &Question::Related { record, end, column })
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn the_oldest_and_the_newest_record_are_told_apart() {
    let it = Bench::start().await;
    let first = it.related(BUYER, RecordKind::Invoice, End::First, "InvoiceTotal").await;
    let last = it.related(BUYER, RecordKind::Invoice, End::Last, "InvoiceTotal").await;
    assert_eq!((first, last), (json!("50.00"), json!("150.00")));
    assert_eq!(
        it.related(BUYER, RecordKind::Invoice, End::First, "PayStatus").await,
        json!(1)
    );
    assert_eq!(
        it.related(BUYER, RecordKind::Invoice, End::Last, "PayStatus").await,
        json!(0)
    );
    assert_eq!(
        it.related(BUYER, RecordKind::Payment, End::Last, "PayAmt").await,
        json!(150.0)
    );
}

#[tokio::test]
async fn every_kind_of_record_is_answered() {
    let it = Bench::start().await;
    for (record, column, expected) in [
        (RecordKind::Invoice, "ProductSold", json!("51")),
        (RecordKind::Job, "JobTitle", json!("Starter course")),
        (RecordKind::Subscription, "Status", json!("Inactive")),
        (RecordKind::Subscription, "BillingAmount", json!(29.5)),
        (RecordKind::Lead, "StageID", json!("31")),
        (RecordKind::CreditCard, "Last4", json!("1001")),
        (RecordKind::Payment, "InvoiceId", json!("10010")),
    ] {
        assert_eq!(
            it.related(BUYER, record, End::First, column).await,
            expected,
            "{column}"
        );
        assert_eq!(
            it.related(BROWSER, record, End::First, column).await,
            Value::Null,
            "{column}"
        );
    }
}

#[tokio::test]
async fn a_column_that_the_api_lacks_is_unsupported_with_and_without_a_record() {
    let it = Bench::start().await;
    for contact in [BUYER, BROWSER] {
        let question = Question::Related {
            record: RecordKind::Subscription,
            end: End::First,
            column: "PaidThruDate".to_owned(),
        };
        let error = it.keap.ask(contact, &question).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported);
    }
}

#[tokio::test]
async fn the_last_click_open_and_send_of_an_address_are_answered() {
    let it = Bench::start().await;
    let address = it.keap.get_contact(BUYER).await.unwrap().email;
    let mut times = Vec::new();
    for event in [EmailEvent::Click, EmailEvent::Open, EmailEvent::Send] {
        let address = address.clone();
        let answer = it
            .keap
            .ask(BUYER, &Question::LastEmail { address, event })
            .await
            .unwrap();
        times.push(DateTime::parse_from_rfc3339(answer.as_str().unwrap()).unwrap());
    }
    assert!(times.is_sorted(), "{times:?}");
    let nobody = Question::LastEmail {
        address: "nobody@example.com".to_owned(),
        event: EmailEvent::Open,
    };
    assert_eq!(it.keap.ask(BUYER, &nobody).await.unwrap(), Value::Null);
}

#[tokio::test]
async fn clicks_are_counted_inside_the_period_only() {
    let it = Bench::start().await;
    let contact = it.keap.get_contact(BUYER).await.unwrap();
    let clicked = Question::LastEmail {
        address: contact.email.clone(),
        event: EmailEvent::Click,
    };
    let clicked = it.keap.ask(BUYER, &clicked).await.unwrap();
    let clicked: DateTime<Utc> = clicked.as_str().unwrap().parse().unwrap();
    for (until, expected) in [
        (clicked + TimeDelta::days(7), 1),
        (clicked + TimeDelta::days(8), 0),
        (clicked - TimeDelta::hours(1), 0),
    ] {
        let question = Question::ClicksInLast {
            address: contact.email.clone(),
            days: 7,
            until,
        };
        assert_eq!(it.keap.ask(BUYER, &question).await.unwrap(), json!(expected), "{until}");
    }
}

#[tokio::test]
async fn an_id_that_would_change_the_filter_is_refused() {
    let it = Bench::start().await;
    let question = Question::Related {
        record: RecordKind::Job,
        end: End::First,
        column: "Id".to_owned(),
    };
    let error = it.keap.ask("1001;paid==true", &question).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
}
