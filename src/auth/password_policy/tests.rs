//! Have I Been Pwned as it should be, and as it should not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha1::{Digest, Sha1};
use tokio::net::TcpListener;
use tokio::time::Instant;
use url::Url;
use zeroize::Zeroizing;

use super::PasswordPolicy;
use crate::auth::password::Password;
use crate::error::ApiError;

const PASSWORD: &str = "correct horse battery staple";
const FILLER: &str = "0018A45C4D1DEF81644B54AB7F969B88D65:12\r\n";

/// What it was asked: the prefix and whether padding was asked for.
type Asked = Arc<Mutex<Vec<(String, bool)>>>;

fn suffix() -> String {
    hex::encode_upper(Sha1::digest(PASSWORD.as_bytes())).split_off(5)
}

/// A server that answers `status` and `body` after `pause`.
async fn serve(status: StatusCode, body: impl Into<String>, pause: Duration) -> (Url, Asked) {
    let (body, asked) = (body.into(), Asked::default());
    let answer =
        async move |Path(prefix): Path<String>, headers: HeaderMap, State(asked): State<Asked>| -> Response {
            let padded = headers.get("add-padding").is_some_and(|value| value == "true");
            asked.lock().unwrap().push((prefix, padded));
            tokio::time::sleep(pause).await;
            let location = [("location", "/range/elsewhere")];
            if status.is_redirection() {
                (status, location).into_response()
            } else {
                (status, body.clone()).into_response()
            }
        };
    let routes = Router::new().route("/mirror/range/{prefix}", get(answer)).with_state(asked.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mirror/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(axum::serve(listener, routes).into_future());
    (url, asked)
}

async fn code(url: &Url, password: &str) -> Option<&'static str> {
    let password = Password::parse(Zeroizing::new(password.into())).unwrap();
    match PasswordPolicy::new(Some(url)).unwrap().check("new_password", &password, &[]).await {
        Ok(()) => None,
        Err(ApiError::Validation(errors)) => {
            assert_eq!((errors.len(), errors[0].field.as_str()), (1, "new_password"));
            Some(errors[0].code)
        }
        Err(error) => panic!("{error:?}"),
    }
}

async fn code_of_answer(status: StatusCode, body: impl Into<String>) -> Option<&'static str> {
    let (url, asked) = serve(status, body, Duration::ZERO).await;
    let code = code(&url, PASSWORD).await;
    assert_eq!(asked.lock().unwrap().len(), 1, "asked once, whatever the answer");
    code
}

#[tokio::test]
async fn a_breached_password_is_known_by_five_digits_of_its_hash() {
    let (url, asked) = serve(StatusCode::OK, format!("{FILLER}{}:3", suffix()), Duration::ZERO).await;
    assert_eq!(code(&url, PASSWORD).await, Some("breached"));
    assert_eq!(*asked.lock().unwrap(), [("ABF7A".to_owned(), true)], "five digits, and padding");
    let lower = format!("{}:3\r\n{FILLER}", suffix().to_lowercase());
    assert_eq!(code_of_answer(StatusCode::OK, lower).await, Some("breached"));
}

#[tokio::test]
async fn others_hashes_and_padding_say_nothing() {
    assert_eq!(code_of_answer(StatusCode::OK, FILLER).await, None);
    assert_eq!(code_of_answer(StatusCode::OK, format!("{FILLER}{}:0\r\n", suffix())).await, None);
}

#[tokio::test]
async fn what_is_refused_anyway_is_not_asked() {
    let (url, asked) = serve(StatusCode::OK, FILLER, Duration::ZERO).await;
    assert_eq!(code(&url, "LeaveMeAlone").await, Some("common"));
    assert_eq!(code(&url, "zzzzzzzzzzzzzzy").await, Some("too_weak"));
    assert!(asked.lock().unwrap().is_empty());
}

/// It fails open: a password is taken when nobody can say whether it is known.
#[tokio::test]
async fn a_service_that_fails_forbids_no_password() {
    let hit = format!("{}:3", suffix());
    for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::TOO_MANY_REQUESTS, StatusCode::FOUND] {
        assert_eq!(code_of_answer(status, &hit).await, None, "{status}");
    }
    for garbage in
        [String::new(), "<html>\n</html>".into(), format!("{hit}\nnonsense"), format!("{}:many", suffix())]
    {
        assert_eq!(code_of_answer(StatusCode::OK, &garbage).await, None, "{garbage}");
    }
    let endless = format!("{hit}\r\n{}", FILLER.repeat(30_000));
    assert_eq!(code_of_answer(StatusCode::OK, endless).await, None, "more than a mebibyte");
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(code(&format!("http://{nobody}").parse().unwrap(), PASSWORD).await, None);
}

#[tokio::test]
async fn a_slow_service_is_waited_for_two_seconds() {
    let (url, _) = serve(StatusCode::OK, format!("{}:3", suffix()), Duration::from_mins(1)).await;
    let asked = Instant::now();
    assert_eq!(code(&url, PASSWORD).await, None);
    assert!(
        (Duration::from_secs(2)..Duration::from_secs(4)).contains(&asked.elapsed()),
        "{:?}",
        asked.elapsed()
    );
}
