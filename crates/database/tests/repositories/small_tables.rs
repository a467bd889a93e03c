//! Platforms, OAuth states and rate limits.

use mfh_database::{DatabaseError, Turn, TurnClaim, Upsert};
use mfh_types::{OAuthState, Platform, PlatformId};
use serde_json::json;

use crate::support::*;

fn platform(slug: &str, name: &str) -> Platform {
    record(json!({
        "platform_id": slug, "name": name, "slug": slug, "category": "crm", "types": ["crm"],
        "api_config": {"base_url": "https://api.example.com", "auth_type": "api_key"},
        "created_at": at(NOW), "updated_at": at(NOW),
    }))
}

#[tokio::test]
async fn a_platform_is_found_by_id_and_by_slug() {
    let tested = Tested::start().await;
    let platforms = tested.database.platforms();
    platforms.upsert(&platform("keap", "Keap")).await.unwrap();
    platforms.upsert(&platform("active", "Active")).await.unwrap();
    let keap: PlatformId = id("keap");
    assert_eq!(platforms.get(&keap).await.unwrap().unwrap().name, "Keap");
    assert_eq!(platforms.by_slug("keap").await.unwrap().unwrap().platform_id, keap);
    for name in ["keap", "platform:keap"] {
        assert_eq!(
            platforms.resolve(name).await.unwrap().unwrap().platform_id,
            keap,
            "{name}"
        );
    }
    for name in ["", "other", "platform:", "a b"] {
        assert_eq!(platforms.resolve(name).await, Ok(None), "{name}");
    }
    let names: Vec<String> = platforms.list().await.unwrap().into_iter().map(|p| p.name).collect();
    assert_eq!(names, ["Active", "Keap"]);
}

#[tokio::test]
async fn seeding_the_same_platform_again_writes_nothing_and_a_new_text_keeps_its_birthday() {
    let tested = Tested::start().await;
    let platforms = tested.database.platforms();
    assert_eq!(platforms.upsert(&platform("keap", "Keap")).await, Ok(Upsert::Created));

    let mut later = platform("keap", "Keap");
    (later.created_at, later.updated_at) = (at(NOW + 50), at(NOW + 50));
    assert_eq!(platforms.upsert(&later).await, Ok(Upsert::Unchanged));
    let stored = platforms.by_slug("keap").await.unwrap().unwrap();
    assert_eq!((stored.created_at, stored.updated_at), (at(NOW), at(NOW)));

    // An earlier seeding wrote nanoseconds.
    let key = ("platform_id", "platform:keap");
    let precise = s("2026-03-10T00:00:00.123456789Z");
    tested
        .set_raw(&tested.tables.platforms, key, "updated_at", precise)
        .await;
    later.name = "Keap Max".to_owned();
    assert_eq!(platforms.upsert(&later).await, Ok(Upsert::Updated));
    let stored = platforms.by_slug("keap").await.unwrap().unwrap();
    assert_eq!(
        (stored.name.as_str(), stored.created_at, stored.updated_at),
        ("Keap Max", at(NOW), at(NOW + 50))
    );
}

fn state(hash: &str) -> OAuthState {
    record(json!({
        "state": hash, "user_id": "a", "account_id": "a", "platform_id": "keap", "redirect_uri": "",
        "created_at": NOW, "expires_at": NOW + 900, "ttl": NOW + 900,
    }))
}

#[tokio::test]
async fn a_state_is_used_once() {
    let tested = Tested::start().await;
    let states = tested.database.oauth_states();
    states.put(&state("h")).await.unwrap();
    assert_eq!(states.put(&state("h")).await, Err(DatabaseError::Conflict));
    let (first, second) = tokio::join!(states.consume("h", at(NOW + 1)), states.consume("h", at(NOW + 1)));
    let used = [first.unwrap(), second.unwrap()];
    assert_eq!(used.iter().flatten().count(), 1);
    assert_eq!(used.iter().flatten().next().unwrap().redirect_uri, None);
}

#[tokio::test]
async fn an_expired_or_unknown_state_is_none() {
    let tested = Tested::start().await;
    let states = tested.database.oauth_states();
    states.put(&state("h")).await.unwrap();
    assert_eq!(states.consume("h", at(NOW + 900)).await, Ok(None));
    assert_eq!(
        states.consume("h", at(NOW)).await,
        Ok(None),
        "it is gone after the first try"
    );
    assert_eq!(states.consume("", at(NOW)).await, Ok(None));
}

#[tokio::test]
async fn hits_are_counted_and_start_again_when_the_window_is_over() {
    let tested = Tested::start().await;
    let limits = tested.database.rate_limits();
    for expected in 1..=3 {
        assert_eq!(limits.hit("rl:h:1", NOW + 120, at(NOW)).await, Ok(expected));
    }
    assert_eq!(limits.hit("rl:h:2", NOW + 180, at(NOW)).await, Ok(1));
    assert_eq!(limits.hit("rl:h:1", NOW + 240, at(NOW + 120)).await, Ok(1));
    assert_eq!(limits.hit("rl:h:1", NOW + 240, at(NOW + 121)).await, Ok(2));
}

#[tokio::test]
async fn concurrent_hits_are_all_counted() {
    let tested = Tested::start().await;
    let limits = tested.database.rate_limits();
    let hit = || limits.hit("rl:h:1", NOW + 120, at(NOW));
    let (a, b, c) = tokio::join!(hit(), hit(), hit());
    let mut counts = [a.unwrap(), b.unwrap(), c.unwrap()];
    counts.sort_unstable();
    assert_eq!(counts, [1, 2, 3]);
}

#[tokio::test]
async fn turns_follow_one_another_and_begin_anew_after_idle_time() {
    let tested = Tested::start().await;
    let limits = tested.database.rate_limits();
    let claim = |earliest, latest| TurnClaim {
        length: 30,
        earliest,
        latest,
    };
    let ttl = NOW + 60;
    // The guess whether anybody was there before changes no outcome.
    for (key, guess) in [("crm:a", true), ("crm:b", false)] {
        let take = |claim, guess| limits.take_turn(key, claim, guess, ttl);
        assert_eq!(take(claim(1_000, 1_100), guess).await, Ok(Turn::From(1_000)));
        assert_eq!(take(claim(1_000, 1_100), !guess).await, Ok(Turn::From(1_030)));
        assert_eq!(take(claim(1_000, 1_060), guess).await, Ok(Turn::From(1_060)));
        assert_eq!(take(claim(1_000, 1_080), guess).await, Ok(Turn::TakenUntil(1_090)));
        assert_eq!(take(claim(2_000, 2_100), !guess).await, Ok(Turn::From(2_000)));
    }
    limits.postpone("crm:a", 5_000, ttl).await.unwrap();
    limits.postpone("crm:a", 4_000, ttl).await.unwrap();
    assert_eq!(
        limits.take_turn("crm:a", claim(2_000, 4_999), false, ttl).await,
        Ok(Turn::TakenUntil(5_000))
    );
}

#[tokio::test]
async fn concurrent_turns_never_overlap() {
    let tested = Tested::start().await;
    let limits = tested.database.rate_limits();
    let claim = TurnClaim {
        length: 10,
        earliest: 100,
        latest: 1_000,
    };
    let take = |guess| limits.take_turn("crm:a", claim, guess, NOW + 60);
    let (a, b, c, d) = tokio::join!(take(true), take(false), take(true), take(false));
    let mut turns = [a, b, c, d].map(|turn| match turn {
        Ok(Turn::From(start)) => start,
        other => panic!("{other:?}"),
    });
    turns.sort_unstable();
    assert_eq!(turns, [100, 110, 120, 130]);
}

#[tokio::test]
async fn a_member_that_joins_twice_counts_once() {
    let tested = Tested::start().await;
    let limits = tested.database.rate_limits();
    assert_eq!(limits.members("crm:shares:1").await, Ok(0));
    for member in ["a", "b", "a"] {
        limits.join("crm:shares:1", member, NOW + 60).await.unwrap();
    }
    assert_eq!(limits.members("crm:shares:1").await, Ok(2));
}
