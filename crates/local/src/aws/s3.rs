//! The object store: S3's REST protocol with path-style addresses over a folder.

mod answers;
mod chunked;
mod folder;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use aws_smithy_xml::decode::{Document, XmlDecodeError, try_data};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, RANGE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use mfh_types::{Clock, Random};
use percent_encoding::percent_decode_str;

use self::answers::{bucket_list_xml, copy_xml, deleted_xml, empty, listing_xml, location_xml, object_headers, xml};
use self::folder::{Folder, ListRequest};
use super::AwsService;

/// The most keys of a listing or of one `DeleteObjects` request.
const MAX_KEYS: usize = 1000;

/// The longest key in bytes.
const MAX_KEY_BYTES: usize = 1024;

/// Headers of an upload that are kept with the object, besides `x-amz-meta-*`.
const KEPT_HEADERS: [&str; 6] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
];

/// Query parameters that are understood, or that change nothing here.
const KNOWN_PARAMETERS: [&str; 14] = [
    "continuation-token",
    "delete",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "list-type",
    "location",
    "max-keys",
    "prefix",
    "response-cache-control",
    "response-content-disposition",
    "response-content-type",
    "start-after",
    "x-id",
];

/// S3 over a folder. Signatures are not checked, so links signed beforehand work and do not expire.
pub struct ObjectStore(Arc<Folder>);

/// A failure as S3 names it.
#[derive(Debug)]
struct S3Error {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl S3Error {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidArgument", message)
    }
}

type Answer = Result<Response<Bytes>, S3Error>;

/// What a request is about.
enum Target {
    Service,
    Bucket(String),
    Object(String, String),
}

/// A request with its query taken apart.
struct Call {
    request: Request<Bytes>,
    query: HashMap<String, String>,
}

impl ObjectStore {
    /// Opens the buckets in this folder.
    ///
    /// # Errors
    /// The folder cannot be read or written, or a description of an object is damaged.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> anyhow::Result<Arc<Self>> {
        let folder = Folder::open(dir, clock, random)?;
        Ok(Arc::new(Self(Arc::new(folder))))
    }
}

#[async_trait]
impl AwsService for ObjectStore {
    async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        let folder = Arc::clone(&self.0);
        let is_head = request.method() == Method::HEAD;
        let path = request.uri().path().to_owned();
        let work = tokio::task::spawn_blocking(move || answer(&folder, request));
        let result = work.await.unwrap_or_else(|_| {
            Err(S3Error::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalError",
                "The request failed; see the log of mfh.",
            ))
        });
        match result {
            Ok(response) => response,
            Err(error) if is_head => empty(error.status),
            Err(error) => answers::error(&error, &path),
        }
    }
}

fn answer(folder: &Folder, request: Request<Bytes>) -> Answer {
    let target = target(request.uri().path())?;
    let call = Call::new(request)?;
    match (call.request.method().as_str(), target) {
        ("GET", Target::Service) => Ok(xml(bucket_list_xml(&folder.buckets()))),
        ("PUT", Target::Bucket(bucket)) => {
            folder.create_bucket(&bucket)?;
            Ok(empty(StatusCode::OK))
        }
        ("HEAD", Target::Bucket(bucket)) => {
            folder.check_bucket(&bucket)?;
            Ok(empty(StatusCode::OK))
        }
        ("DELETE", Target::Bucket(bucket)) => {
            folder.delete_bucket(&bucket)?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        ("GET", Target::Bucket(bucket)) if call.has("location") => {
            folder.check_bucket(&bucket)?;
            Ok(xml(location_xml()))
        }
        ("GET", Target::Bucket(bucket)) if call.parameter("list-type") == Some("2") => list(folder, &bucket, &call),
        ("POST", Target::Bucket(bucket)) if call.has("delete") => delete_many(folder, &bucket, call.request.body()),
        ("PUT", Target::Object(bucket, key)) => match call.header("x-amz-copy-source") {
            Some(source) => copy(folder, &source, &bucket, &key, call.request.headers()),
            None => put(folder, &bucket, &key, &call),
        },
        ("GET" | "HEAD", Target::Object(bucket, key)) => get(folder, &bucket, &key, &call),
        ("DELETE", Target::Object(bucket, key)) => {
            folder.delete(&bucket, &key)?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => Err(not_implemented()),
    }
}

/// The bucket and key of a path; the key is everything after the second slash, decoded.
fn target(path: &str) -> Result<Target, S3Error> {
    let path = percent_decode_str(path.strip_prefix('/').unwrap_or(path))
        .decode_utf8()
        .map_err(|_| S3Error::invalid("The key must be UTF-8."))?;
    Ok(match path.split_once('/') {
        _ if path.is_empty() => Target::Service,
        None | Some((_, "")) => Target::Bucket(path.trim_end_matches('/').to_owned()),
        Some((bucket, key)) if key.len() <= MAX_KEY_BYTES => Target::Object(bucket.to_owned(), key.to_owned()),
        Some(_) => {
            return Err(S3Error::new(
                StatusCode::BAD_REQUEST,
                "KeyTooLongError",
                "A key has at most 1024 bytes.",
            ));
        }
    })
}

fn not_implemented() -> S3Error {
    S3Error::new(
        StatusCode::NOT_IMPLEMENTED,
        "NotImplemented",
        "This operation or parameter does not exist on this machine.",
    )
}

impl Call {
    fn new(request: Request<Bytes>) -> Result<Self, S3Error> {
        let text = request.uri().query().unwrap_or_default();
        let query: HashMap<String, String> = url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        let is_known = |name: &String| {
            KNOWN_PARAMETERS.contains(&name.as_str()) || name.to_ascii_lowercase().starts_with("x-amz-")
        };
        // `?acl`, `?uploads` and the like turn a request into another operation; it must not run as this one.
        if query.keys().all(is_known) {
            Ok(Self { request, query })
        } else {
            Err(not_implemented())
        }
    }

    fn has(&self, parameter: &str) -> bool {
        self.query.contains_key(parameter)
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    fn header(&self, name: &str) -> Option<String> {
        header(self.request.headers(), name)
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn list(folder: &Folder, bucket: &str, call: &Call) -> Answer {
    let limit = match call.parameter("max-keys").map(str::parse::<usize>) {
        None => MAX_KEYS,
        Some(Ok(limit)) => limit.min(MAX_KEYS),
        Some(Err(_)) => return Err(S3Error::invalid("max-keys must be a number.")),
    };
    let after = match call.parameter("continuation-token") {
        Some(token) => {
            let token = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
            let after = token.and_then(|bytes| String::from_utf8(bytes).ok());
            after.ok_or_else(|| S3Error::invalid("The continuation token is not one of ours."))?
        }
        None => call.parameter("start-after").unwrap_or_default().to_owned(),
    };
    let request = ListRequest {
        prefix: call.parameter("prefix").unwrap_or_default(),
        delimiter: call.parameter("delimiter").unwrap_or_default(),
        after: &after,
        limit,
    };
    let listing = folder.list(bucket, &request)?;
    let next = listing.next.as_ref().map(|next| BASE64_URL_SAFE_NO_PAD.encode(next));
    let url_encoded = call.parameter("encoding-type") == Some("url");
    Ok(xml(listing_xml(
        bucket,
        &request,
        &listing,
        next.as_deref(),
        url_encoded,
    )))
}

fn put(folder: &Folder, bucket: &str, key: &str, call: &Call) -> Answer {
    let headers = call.request.headers();
    let signing = call.header("x-amz-content-sha256").unwrap_or_default();
    let encoding = call.header("content-encoding").unwrap_or_default();
    let body = if signing.starts_with("STREAMING-") || encoding.contains(chunked::ENCODING) {
        let length = call.header("x-amz-decoded-content-length");
        let length = length.and_then(|length| length.parse().ok());
        Bytes::from(chunked::decode(call.request.body(), length).ok_or_else(|| {
            S3Error::new(
                StatusCode::BAD_REQUEST,
                "IncompleteBody",
                "The body is damaged or shorter than announced; send it again.",
            )
        })?)
    } else {
        call.request.body().clone()
    };
    let only_new = match call.header("if-none-match").as_deref() {
        None => false,
        Some("*") => true,
        Some(_) => return Err(not_implemented()),
    };
    let object = folder.put(bucket, key, &body, kept_headers(headers), only_new)?;
    let mut response = empty(StatusCode::OK);
    answers::set(response.headers_mut(), "etag", &object.quoted_etag());
    Ok(response)
}

/// The headers of an upload that come back with the object.
fn kept_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let is_kept = |name: &str| KEPT_HEADERS.contains(&name) || name.starts_with("x-amz-meta-");
    let mut kept: BTreeMap<String, String> = headers
        .keys()
        .filter(|name| is_kept(name.as_str()))
        .filter_map(|name| Some((name.to_string(), header(headers, name.as_str())?)))
        .collect();
    if let Some(encoding) = kept.remove(CONTENT_ENCODING.as_str()) {
        let codings = encoding.split(',').map(str::trim);
        let codings: Vec<&str> = codings
            .filter(|coding| !coding.is_empty() && *coding != chunked::ENCODING)
            .collect();
        if !codings.is_empty() {
            kept.insert(CONTENT_ENCODING.to_string(), codings.join(","));
        }
    }
    kept
}

fn copy(folder: &Folder, source: &str, bucket: &str, key: &str, headers: &HeaderMap) -> Answer {
    let path = source.split('?').next().unwrap_or_default();
    let Target::Object(from_bucket, from_key) = target(path)? else {
        return Err(S3Error::invalid("x-amz-copy-source must name a bucket and a key."));
    };
    let (object, file) = folder.open_object(&from_bucket, &from_key)?;
    let body = folder::read_range(file, 0, object.size)?;
    let replace = header(headers, "x-amz-metadata-directive").as_deref() == Some("REPLACE");
    let kept = if replace { kept_headers(headers) } else { object.headers };
    let copied = folder.put(bucket, key, &body, kept, false)?;
    Ok(xml(copy_xml(&copied)))
}

fn get(folder: &Folder, bucket: &str, key: &str, call: &Call) -> Answer {
    let (object, file) = folder.open_object(bucket, key)?;
    let range = call.header(RANGE.as_str());
    let part = range.and_then(|range| byte_range(&range, object.size));
    let (status, start, end) = match part {
        None => (StatusCode::OK, 0, object.size),
        Some(Some((start, end))) => (StatusCode::PARTIAL_CONTENT, start, end),
        Some(None) => {
            return Err(S3Error::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "InvalidRange",
                "The requested range lies outside the object.",
            ));
        }
    };
    let mut response = empty(status);
    let headers = response.headers_mut();
    object_headers(headers, &object);
    for name in ["cache-control", "content-disposition", "content-type"] {
        if let Some(value) = call.parameter(&format!("response-{name}")) {
            answers::set(headers, name, value);
        }
    }
    answers::set(headers, "content-length", &(end - start).to_string());
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {start}-{}/{}", end - 1, object.size);
        answers::set(headers, "content-range", &range);
    }
    if call.request.method() == Method::GET {
        *response.body_mut() = folder::read_range(file, start, end)?.into();
    }
    Ok(response)
}

/// Start and end (exclusive) of a `Range` header: nothing when it is none of ours and the whole object is meant,
/// `Some(None)` when the object has no such bytes.
fn byte_range(text: &str, size: u64) -> Option<Option<(u64, u64)>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (first, last) {
        ("", last) => (size.saturating_sub(last.parse().ok()?), size),
        (first, "") => (first.parse().ok()?, size),
        (first, last) => {
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            if last < first {
                return None;
            }
            (first, last.saturating_add(1).min(size))
        }
    };
    Some((start < end).then_some((start, end)))
}

fn delete_many(folder: &Folder, bucket: &str, body: &[u8]) -> Answer {
    let malformed = || {
        S3Error::new(
            StatusCode::BAD_REQUEST,
            "MalformedXML",
            "The list of keys is not well-formed, empty, or longer than 1000.",
        )
    };
    let text = std::str::from_utf8(body).map_err(|_| malformed())?;
    let (keys, quiet) = keys_to_delete(text).map_err(|_| malformed())?;
    if keys.is_empty() || keys.len() > MAX_KEYS {
        return Err(malformed());
    }
    for key in &keys {
        folder.delete(bucket, key)?;
    }
    Ok(xml(deleted_xml(if quiet { &[] } else { &keys })))
}

/// The keys of a `Delete` document, and whether the answer should leave them out.
fn keys_to_delete(text: &str) -> Result<(Vec<String>, bool), XmlDecodeError> {
    let mut document = Document::new(text);
    let mut root = document.root_element()?;
    let (mut keys, mut quiet) = (Vec::new(), false);
    while let Some(mut tag) = root.next_tag() {
        match tag.start_el().local() {
            "Quiet" => quiet = try_data(&mut tag)?.trim() == "true",
            "Object" => {
                while let Some(mut member) = tag.next_tag() {
                    if member.start_el().local() == "Key" {
                        keys.push(try_data(&mut member)?.into_owned());
                    }
                }
            }
            _ => {}
        }
    }
    Ok((keys, quiet))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_object() {
        for (text, expected) in [
            ("bytes=0-3", Some(Some((0, 4)))),
            ("bytes=8-", Some(Some((8, 10)))),
            ("bytes=-3", Some(Some((7, 10)))),
            ("bytes=-30", Some(Some((0, 10)))),
            ("bytes=5-500", Some(Some((5, 10)))),
            ("bytes=10-", Some(None)),
            ("bytes=-0", Some(None)),
            ("bytes=4-2", None),
            ("bytes=0-1,4-5", None),
            ("lines=0-1", None),
        ] {
            assert_eq!(byte_range(text, 10), expected, "{text}");
        }
    }
}
