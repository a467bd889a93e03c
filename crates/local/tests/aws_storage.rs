//! The local parameter store and object store, asked by the AWS SDK's own clients.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::Client as S3;
use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, MetadataDirective, ObjectIdentifier};
use aws_sdk_ssm::Client as Ssm;
use aws_sdk_ssm::types::ParameterType;
use mfh_aws::Clients;
use mfh_local::aws::http_client::sdk_config;
use mfh_local::aws::s3::ObjectStore;
use mfh_local::aws::ssm::ParameterStore;
use mfh_local::aws::{Endpoint, Service};
use mfh_types::{SystemClock, SystemRandom};

const BUCKET: &str = "mfh-dev-data";

/// Keys that are no file names.
const ODD_KEYS: [&str; 7] = [
    "../../escape.txt",
    "a",
    "a/b",
    "account:1/exec:2 +%2F&<x>\"'.json",
    "snow ☃/ü",
    "trailing/",
    "/leading//double",
];

fn open_ssm(dir: &Path) -> Ssm {
    let store = ParameterStore::open(dir, "123456789012", Arc::new(SystemClock)).unwrap();
    let endpoint = Endpoint::builder("123456789012").with(Service::Ssm, store).build();
    Clients::new(sdk_config(endpoint)).ssm().clone()
}

async fn put_parameter(ssm: &Ssm, name: &str, value: &str, overwrite: bool) -> Result<i64, String> {
    ssm.put_parameter()
        .name(name)
        .value(value)
        .r#type(ParameterType::SecureString)
        .overwrite(overwrite)
        .send()
        .await
        .map(|answer| answer.version())
        .map_err(|error| error.code().unwrap().to_owned())
}

#[tokio::test]
async fn a_parameter_counts_its_versions_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let ssm = open_ssm(dir.path());
    let name = "/myfusionhelper/dev/secrets";
    assert_eq!(put_parameter(&ssm, name, "one", false).await, Ok(1));
    assert_eq!(
        put_parameter(&ssm, name, "two", false).await.unwrap_err(),
        "ParameterAlreadyExists"
    );
    assert_eq!(put_parameter(&ssm, name, "two", true).await, Ok(2));
    assert_eq!(
        put_parameter(&ssm, "no spaces", "x", true).await.unwrap_err(),
        "ValidationException"
    );

    let ssm = open_ssm(dir.path());
    let read = ssm
        .get_parameter()
        .name(name)
        .with_decryption(true)
        .send()
        .await
        .unwrap();
    let parameter = read.parameter.unwrap();
    assert_eq!((parameter.value(), parameter.version()), (Some("two"), 2));
    let expected = "arn:aws:ssm:us-west-2:123456789012:parameter/myfusionhelper/dev/secrets";
    assert_eq!(parameter.arn(), Some(expected));

    let sealed = ssm.get_parameter().name(name).send().await.unwrap();
    assert_ne!(sealed.parameter.unwrap().value(), Some("two"));
}

#[tokio::test]
async fn missing_parameters_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let ssm = open_ssm(dir.path());
    put_parameter(&ssm, "/a", "1", false).await.unwrap();
    let missing = ssm.get_parameter().name("/b").send().await.unwrap_err();
    assert!(missing.into_service_error().is_parameter_not_found());
    let many = ssm.get_parameters().names("/a").names("/b").send().await.unwrap();
    assert_eq!(
        (many.parameters().len(), many.invalid_parameters()),
        (1, &["/b".to_owned()][..])
    );
    let deleted = ssm.delete_parameters().names("/a").names("/b").send().await.unwrap();
    assert_eq!(deleted.deleted_parameters(), ["/a"]);
    let gone = ssm.delete_parameter().name("/a").send().await.unwrap_err();
    assert!(gone.into_service_error().is_parameter_not_found());
}

#[tokio::test]
async fn a_path_is_read_level_by_level_or_whole_in_pages() {
    let dir = tempfile::tempdir().unwrap();
    let ssm = open_ssm(dir.path());
    for slug in ["keap", "hubspot", "ontraport"] {
        for key in ["client_id", "client_secret"] {
            let name = format!("/dev/platforms/{slug}/oauth/{key}");
            put_parameter(&ssm, &name, "x", false).await.unwrap();
        }
    }
    put_parameter(&ssm, "/dev/platforms/list", "x", false).await.unwrap();
    put_parameter(&ssm, "/dev/platforms-other", "x", false).await.unwrap();

    let level = ssm
        .get_parameters_by_path()
        .path("/dev/platforms")
        .send()
        .await
        .unwrap();
    assert_eq!(level.parameters().len(), 1);
    let (mut names, mut token) = (Vec::new(), None);
    loop {
        let page = ssm
            .get_parameters_by_path()
            .path("/dev/platforms/")
            .recursive(true)
            .max_results(3)
            .set_next_token(token)
            .send()
            .await
            .unwrap();
        assert!(page.parameters().len() <= 3);
        names.extend(page.parameters().iter().map(|p| p.name().unwrap().to_owned()));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(names.len(), 7);
    assert!(names.is_sorted());
}

fn open_s3(dir: &Path) -> S3 {
    let store = ObjectStore::open(dir, Arc::new(SystemClock), Arc::new(SystemRandom)).unwrap();
    let endpoint = Endpoint::builder("123456789012").with(Service::S3, store).build();
    // Outside tools sign what they send, and stream in signed chunks.
    let config = aws_sdk_s3::config::Builder::from(&sdk_config(endpoint))
        .credentials_provider(Credentials::new("local", "local", None, None, "test"))
        .force_path_style(true)
        .build();
    S3::from_conf(config)
}

async fn with_bucket(dir: &Path) -> S3 {
    let s3 = open_s3(dir);
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    s3
}

async fn put(s3: &S3, key: &str, body: &str) {
    let body = ByteStream::from(body.as_bytes().to_vec());
    s3.put_object().bucket(BUCKET).key(key).body(body).send().await.unwrap();
}

async fn read(s3: &S3, key: &str) -> String {
    let answer = s3.get_object().bucket(BUCKET).key(key).send().await.unwrap();
    let body = answer.body.collect().await.unwrap().into_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

async fn all_keys(s3: &S3) -> Vec<String> {
    let answer = s3.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    answer
        .contents()
        .iter()
        .map(|object| object.key().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn objects_with_odd_keys_come_back_after_a_restart_and_stay_in_the_folder() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("a").join("s3");
    let s3 = with_bucket(&dir).await;
    let long = "x".repeat(1024);
    let keys: Vec<&str> = ODD_KEYS.into_iter().chain([long.as_str()]).collect();
    for key in &keys {
        put(&s3, key, &format!("content of {key}")).await;
    }
    let s3 = open_s3(&dir);
    for key in &keys {
        assert_eq!(read(&s3, key).await, format!("content of {key}"));
    }
    let mut expected: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    expected.sort();
    assert_eq!(all_keys(&s3).await, expected);
    let outside: Vec<_> = std::fs::read_dir(outer.path()).unwrap().collect();
    assert_eq!(outside.len(), 1);
    let too_long = s3
        .put_object()
        .bucket(BUCKET)
        .key("x".repeat(1025))
        .send()
        .await
        .unwrap_err();
    assert_eq!(too_long.code(), Some("KeyTooLongError"));
}

#[tokio::test]
async fn a_streamed_body_arrives_without_its_chunks() {
    let dir = tempfile::tempdir().unwrap();
    let s3 = with_bucket(dir.path()).await;
    let file = dir.path().join("upload");
    let content: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    std::fs::write(&file, &content).unwrap();
    let body = ByteStream::from_path(&file).await.unwrap();
    s3.put_object()
        .bucket(BUCKET)
        .key("big")
        .body(body)
        .send()
        .await
        .unwrap();
    let object = s3.get_object().bucket(BUCKET).key("big").send().await.unwrap();
    assert_eq!(object.content_encoding(), None);
    assert_eq!(object.body.collect().await.unwrap().into_bytes(), content);
}

#[tokio::test]
async fn metadata_ranges_and_heads_describe_the_object() {
    let dir = tempfile::tempdir().unwrap();
    let s3 = with_bucket(dir.path()).await;
    s3.put_object()
        .bucket(BUCKET)
        .key("k")
        .body(ByteStream::from_static(b"0123456789"))
        .content_type("text/plain")
        .metadata("source", "keap")
        .send()
        .await
        .unwrap();
    let head = s3.head_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(
        (head.content_length(), head.content_type()),
        (Some(10), Some("text/plain"))
    );
    assert_eq!(head.metadata().unwrap()["source"], "keap");
    assert_eq!(head.e_tag(), Some("\"781e5e245d69b566979b86e28d23f2c7\""));
    assert!(head.last_modified().is_some());

    let part = s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .range("bytes=2-4")
        .send()
        .await
        .unwrap();
    assert_eq!(part.content_range(), Some("bytes 2-4/10"));
    assert_eq!(part.body.collect().await.unwrap().into_bytes(), "234");
    let outside = s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .range("bytes=10-")
        .send()
        .await
        .unwrap_err();
    assert_eq!(outside.code(), Some("InvalidRange"));
}

#[tokio::test]
async fn what_does_not_exist_is_answered_with_typed_errors() {
    let dir = tempfile::tempdir().unwrap();
    let s3 = with_bucket(dir.path()).await;
    let no_key = s3.get_object().bucket(BUCKET).key("none").send().await.unwrap_err();
    assert!(no_key.into_service_error().is_no_such_key());
    let no_head = s3.head_object().bucket(BUCKET).key("none").send().await.unwrap_err();
    assert!(no_head.into_service_error().is_not_found());
    let no_bucket = s3.list_objects_v2().bucket("missing-bucket").send().await.unwrap_err();
    assert!(no_bucket.into_service_error().is_no_such_bucket());
    s3.delete_object().bucket(BUCKET).key("none").send().await.unwrap();
    let other = s3.get_bucket_versioning().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(other.code(), Some("NotImplemented"));
}

#[tokio::test]
async fn buckets_are_made_once_and_removed_only_when_empty() {
    let dir = tempfile::tempdir().unwrap();
    let s3 = with_bucket(dir.path()).await;
    let again = s3.create_bucket().bucket(BUCKET).send().await.unwrap_err();
    assert!(again.into_service_error().is_bucket_already_owned_by_you());
    let bad = s3.create_bucket().bucket("Not_A_Bucket").send().await.unwrap_err();
    assert_eq!(bad.code(), Some("InvalidBucketName"));
    put(&s3, "k", "x").await;
    let full = s3.delete_bucket().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(full.code(), Some("BucketNotEmpty"));
    s3.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
    s3.delete_bucket().bucket(BUCKET).send().await.unwrap();
    assert!(
        s3.head_bucket()
            .bucket(BUCKET)
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_not_found()
    );
    assert!(s3.list_buckets().send().await.unwrap().buckets().is_empty());
}

#[tokio::test]
async fn a_listing_groups_by_delimiter_and_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let s3 = with_bucket(dir.path()).await;
    for key in ["p/a", "p/b/1", "p/b/2", "p/c/1", "p/d", "q/e"] {
        put(&s3, key, "x").await;
    }
    let (mut seen, mut token) = (Vec::new(), None);
    loop {
        let page = s3
            .list_objects_v2()
            .bucket(BUCKET)
            .prefix("p/")
            .delimiter("/")
            .max_keys(1)
            .set_continuation_token(token)
            .send()
            .await
            .unwrap();
        let keys = page.contents().iter().filter_map(|object| object.key());
        let prefixes = page.common_prefixes().iter().filter_map(|prefix| prefix.prefix());
        seen.extend(keys.chain(prefixes).map(str::to_owned));
        token = page.next_continuation_token;
        if token.is_none() {
            assert_eq!(page.is_truncated, Some(false));
            break;
        }
    }
    assert_eq!(seen, ["p/a", "p/b/", "p/c/", "p/d"]);
}

#[tokio::test]
async fn many_objects_are_deleted_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let s3 = with_bucket(dir.path()).await;
    put(&s3, "kept", "x").await;
    let mut delete = Delete::builder();
    for key in ODD_KEYS {
        put(&s3, key, "x").await;
        delete = delete.objects(ObjectIdentifier::builder().key(key).build().unwrap());
    }
    let answer = s3
        .delete_objects()
        .bucket(BUCKET)
        .delete(delete.build().unwrap())
        .send()
        .await
        .unwrap();
    let deleted: Vec<&str> = answer.deleted().iter().filter_map(|object| object.key()).collect();
    assert_eq!(deleted, ODD_KEYS);
    assert_eq!(all_keys(&s3).await, ["kept"]);
}

#[tokio::test]
async fn a_copy_keeps_the_metadata_unless_it_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let s3 = with_bucket(dir.path()).await;
    s3.put_object()
        .bucket(BUCKET)
        .key("from here")
        .body(ByteStream::from_static(b"content"))
        .metadata("source", "keap")
        .send()
        .await
        .unwrap();
    let copy = || {
        s3.copy_object()
            .bucket(BUCKET)
            .copy_source(format!("{BUCKET}/from%20here"))
    };
    copy().key("same").send().await.unwrap();
    copy()
        .key("other")
        .metadata_directive(MetadataDirective::Replace)
        .metadata("source", "copy")
        .send()
        .await
        .unwrap();
    for (key, source) in [("same", "keap"), ("other", "copy")] {
        let head = s3.head_object().bucket(BUCKET).key(key).send().await.unwrap();
        assert_eq!(head.metadata().unwrap()["source"], source);
        assert_eq!(read(&s3, key).await, "content");
    }
}

#[tokio::test]
async fn an_object_can_be_claimed_by_the_first_writer_only() {
    let dir = tempfile::tempdir().unwrap();
    let s3 = with_bucket(dir.path()).await;
    let claim = |body: &'static [u8]| {
        let body = ByteStream::from_static(body);
        s3.put_object()
            .bucket(BUCKET)
            .key("lock")
            .if_none_match("*")
            .body(body)
            .send()
    };
    claim(b"first").await.unwrap();
    assert_eq!(claim(b"second").await.unwrap_err().code(), Some("PreconditionFailed"));
    assert_eq!(read(&s3, "lock").await, "first");
}
