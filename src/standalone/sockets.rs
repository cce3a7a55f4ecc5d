//! Every address is taken before anything is started, so that a taken port costs nothing but a message.

use std::io;
use std::net::{self, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;
use url::Url;

use crate::config::{DEFAULT_LISTEN, Environment, HttpConfig};
use crate::serve::{Sockets, bind};

use super::Options;
use super::env_file::Settings;

pub(super) struct StandaloneSockets {
    pub(super) served: Sockets,
    pub(super) s3: TcpListener,
}

impl StandaloneSockets {
    pub(super) async fn bind(
        options: &Options,
        environment: &Environment,
        settings: &Settings,
    ) -> anyhow::Result<Self> {
        let listen = match options.listen {
            Some(address) => address,
            None => environment.address("DOCUVAULT_LISTEN", DEFAULT_LISTEN)?,
        };
        let metrics = environment.address("DOCUVAULT_METRICS_LISTEN", "127.0.0.1:0")?;
        Ok(Self {
            served: Sockets {
                api: Some(bind(listen, "--listen").await?),
                metrics: bind(metrics, "DOCUVAULT_METRICS_LISTEN").await?,
            },
            s3: bind_s3(options.s3_listen, settings).await?,
        })
    }

    /// Writes the addresses down as they came out: a port 0 has become a real one.
    pub(super) fn record(&self, settings: &mut Settings, environment: &Environment) -> anyhow::Result<()> {
        let mut resolved = environment.clone();
        if let Some(api) = &self.served.api {
            resolved.set("DOCUVAULT_LISTEN", &api.local_addr()?.to_string());
        }
        let public_url = HttpConfig::from_env(&resolved)?.public_url;
        let s3 = self.s3.local_addr()?;
        settings.set("DOCUVAULT_PUBLIC_URL", public_url.as_str().trim_end_matches('/'));
        settings.set("S3_ENDPOINT", &format!("http://{}", reachable(s3)));
        settings.set("S3_PUBLIC_ENDPOINT", &public_s3_endpoint(s3, &public_url));
        Ok(())
    }
}

/// The address asked for, or the one of the last start, or else a free one.
async fn bind_s3(wanted: Option<SocketAddr>, settings: &Settings) -> anyhow::Result<TcpListener> {
    if let Some(address) = wanted {
        return Ok(bind(address, "--s3-listen").await?);
    }
    if let Some(address) = settings.s3_address()
        && let Ok(socket) = TcpListener::bind(address).await
    {
        return Ok(socket);
    }
    Ok(bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), "--s3-listen").await?)
}

/// An address that listens everywhere is reached from here over loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if !ip.is_unspecified() => address,
        IpAddr::V4(_) => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(_) => (Ipv6Addr::LOCALHOST, address.port()).into(),
    }
}

/// Clients elsewhere reach an address that listens everywhere under the vault's own host name.
fn public_s3_endpoint(address: SocketAddr, public_url: &Url) -> String {
    match public_url.host_str() {
        Some(host) if address.ip().is_unspecified() => format!("http://{host}:{}", address.port()),
        _ => format!("http://{address}"),
    }
}

/// A loopback port for a child: the `kept` one of the last start when nobody has it.
pub(super) fn free_port(kept: Option<u16>) -> io::Result<u16> {
    let bind = |port| net::TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let socket = kept.and_then(|port| bind(port).ok()).map_or_else(|| bind(0), Ok)?;
    Ok(socket.local_addr()?.port())
}
