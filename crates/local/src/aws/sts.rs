//! The one question tools ask STS before they work: who is calling?

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Answers an action of the query protocol; only `GetCallerIdentity` exists here.
pub(super) fn answer(action: &str, account_id: &str) -> Response<Bytes> {
    if action == "GetCallerIdentity" {
        return xml(
            StatusCode::OK,
            format!(
                "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\"><GetCallerIdentityResult>\
                 <Arn>arn:aws:iam::{account_id}:root</Arn><UserId>{account_id}</UserId>\
                 <Account>{account_id}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
            ),
        );
    }
    xml(
        StatusCode::BAD_REQUEST,
        format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>InvalidAction</Code>\
             <Message>Only GetCallerIdentity is answered in the query protocol; use a client that speaks JSON.</Message>\
             </Error></ErrorResponse>"
        ),
    )
}

fn xml(status: StatusCode, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    response
}
