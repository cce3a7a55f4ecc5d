//! The forms behind links: the setup link, and those that go out by mail. Static files, nothing from anywhere else. A link carries
//! its token in the fragment, which browsers keep to themselves: it never reaches a log. Looking at a form uses nothing up;
//! only its button does, which programs that look into mails do not press.

use std::future::ready;

use axum::Router;
use axum::routing::get;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};

/// Only what this server itself serves, and only what a page of ours needs.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Path, type and content of everything that the forms are made of.
pub(super) const FILES: [(&str, &str, &str); 10] = [
    ("/setup", HTML, include_str!("setup.html")),
    ("/setup.js", SCRIPT, include_str!("setup.js")),
    ("/verify-email", HTML, include_str!("verify_email.html")),
    ("/verify-email.js", SCRIPT, include_str!("verify_email.js")),
    ("/reset-password", HTML, include_str!("reset_password.html")),
    ("/reset-password.js", SCRIPT, include_str!("reset_password.js")),
    ("/confirm-email", HTML, include_str!("confirm_email.html")),
    ("/confirm-email.js", SCRIPT, include_str!("confirm_email.js")),
    ("/form.js", SCRIPT, include_str!("form.js")),
    ("/form.css", STYLE, include_str!("form.css")),
];

pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.into_iter().fold(Router::new(), |routes, (path, content_type, content)| {
        let headers = [(CONTENT_TYPE, content_type), (CONTENT_SECURITY_POLICY, POLICY)];
        routes.route(path, get(move || ready((headers, content))))
    })
}
