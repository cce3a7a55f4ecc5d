//! The S3 client. Every wait is bounded, so that a store that is down is an error soon.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedHttpClient,
};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use secrecy::ExposeSecret;
use url::Url;

use crate::config::S3Config;

const CONNECT: Duration = Duration::from_secs(2);
/// Until the answer's header is there; a body may take longer, as long as it keeps coming.
const ATTEMPT: Duration = Duration::from_secs(12);
const OPERATION: Duration = Duration::from_secs(25);
const ATTEMPTS: u32 = 2;

pub(super) fn connect(config: &S3Config, endpoint: &Url) -> Client {
    let credentials = Credentials::new(
        config.access_key_id.expose_secret(),
        config.secret_access_key.expose_secret(),
        None,
        None,
        "configuration",
    );
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(OPERATION)
        .build();
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint.as_str().trim_end_matches('/'))
        .force_path_style(true)
        .region(Region::new(config.region.clone()))
        .credentials_provider(credentials)
        .http_client(http_client(endpoint))
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(timeouts)
        // Checksums are ours: the SDK's own CRC would be signed into URLs that clients know nothing about.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .build();
    Client::from_conf(config)
}

/// Plain http needs no certificates, and a machine without any is no reason to complain then.
fn http_client(endpoint: &Url) -> SharedHttpClient {
    let builder = Builder::new();
    match endpoint.scheme() {
        "https" => builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https(),
        _ => builder.build_http(),
    }
}
