//! Answers of the object store: headers and XML documents.

use std::fmt::Write;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use mfh_aws::REGION;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::S3Error;
use super::folder::{ListRequest, Listing, Object};

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
const NAMESPACE: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

/// Buckets have no stored age; tools want one all the same.
const BUCKET_CREATED: &str = "2000-01-01T00:00:00.000Z";

/// What `encoding-type=url` leaves as it is.
const URL_ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

pub(super) fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

pub(super) fn xml(body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(format!("{DECLARATION}{body}")));
    set(response.headers_mut(), "content-type", "application/xml");
    response
}

pub(super) fn error(error: &S3Error, resource: &str) -> Response<Bytes> {
    let mut response = xml(format!(
        "<Error><Code>{}</Code><Message>{}</Message><Resource>{}</Resource></Error>",
        error.code,
        escaped(&error.message),
        escaped(resource),
    ));
    *response.status_mut() = error.status;
    response
}

/// Sets a header; one that HTTP cannot carry is left out.
pub(super) fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.as_bytes());
    let value = HeaderValue::from_bytes(value.as_bytes());
    if let (Ok(name), Ok(value)) = (name, value) {
        headers.insert(name, value);
    }
}

pub(super) fn object_headers(headers: &mut HeaderMap, object: &Object) {
    set(headers, "content-type", "binary/octet-stream");
    for (name, value) in &object.headers {
        set(headers, name, value);
    }
    let modified = object.modified_at.0.format("%a, %d %b %Y %H:%M:%S GMT");
    set(headers, "last-modified", &modified.to_string());
    set(headers, "etag", &object.quoted_etag());
    set(headers, "accept-ranges", "bytes");
}

pub(super) fn bucket_list_xml(names: &[String]) -> String {
    let mut buckets = String::new();
    for name in names {
        push(
            &mut buckets,
            format_args!("<Bucket><Name>{name}</Name><CreationDate>{BUCKET_CREATED}</CreationDate></Bucket>"),
        );
    }
    format!(
        "<ListAllMyBucketsResult {NAMESPACE}><Owner><ID>local</ID></Owner><Buckets>{buckets}</Buckets>\
         </ListAllMyBucketsResult>"
    )
}

pub(super) fn location_xml() -> String {
    format!("<LocationConstraint {NAMESPACE}>{REGION}</LocationConstraint>")
}

pub(super) fn copy_xml(object: &Object) -> String {
    format!(
        "<CopyObjectResult {NAMESPACE}><LastModified>{}</LastModified><ETag>{}</ETag></CopyObjectResult>",
        object.modified_at,
        escaped(&object.quoted_etag()),
    )
}

pub(super) fn deleted_xml(keys: &[String]) -> String {
    let mut deleted = String::new();
    for key in keys {
        push(
            &mut deleted,
            format_args!("<Deleted><Key>{}</Key></Deleted>", escaped(key)),
        );
    }
    format!("<DeleteResult {NAMESPACE}>{deleted}</DeleteResult>")
}

pub(super) fn listing_xml(
    bucket: &str,
    request: &ListRequest,
    listing: &Listing,
    next: Option<&str>,
    url_encoded: bool,
) -> String {
    let text = |key: &str| {
        if url_encoded {
            utf8_percent_encode(key, URL_ENCODED).to_string()
        } else {
            escaped(key)
        }
    };
    let mut out = format!("<ListBucketResult {NAMESPACE}><Name>{bucket}</Name>");
    let prefix = text(request.prefix);
    push(&mut out, format_args!("<Prefix>{prefix}</Prefix>"));
    if !request.delimiter.is_empty() {
        let delimiter = text(request.delimiter);
        push(&mut out, format_args!("<Delimiter>{delimiter}</Delimiter>"));
    }
    if url_encoded {
        out.push_str("<EncodingType>url</EncodingType>");
    }
    let count = listing.objects.len() + listing.common_prefixes.len();
    let (limit, truncated) = (request.limit, next.is_some());
    push(
        &mut out,
        format_args!("<KeyCount>{count}</KeyCount><MaxKeys>{limit}</MaxKeys><IsTruncated>{truncated}</IsTruncated>"),
    );
    if let Some(next) = next {
        push(
            &mut out,
            format_args!("<NextContinuationToken>{next}</NextContinuationToken>"),
        );
    }
    for object in &listing.objects {
        push(
            &mut out,
            format_args!(
                "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size>\
                 <StorageClass>STANDARD</StorageClass></Contents>",
                text(&object.key),
                object.modified_at,
                escaped(&object.quoted_etag()),
                object.size,
            ),
        );
    }
    for prefix in &listing.common_prefixes {
        let prefix = text(prefix);
        push(
            &mut out,
            format_args!("<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>"),
        );
    }
    out.push_str("</ListBucketResult>");
    out
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a `String` cannot fail.
    let _ = out.write_fmt(text);
}

/// The text as XML content; control characters, line ends among them, become references.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => push(&mut out, format_args!("&#{};", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}
