//! Where a request came from, when it came by way of proxies. Each appends the address that it was called from to
//! `X-Forwarded-For`, so the list is as good as whoever wrote its end: it is read from the right, for as long as those who
//! speak are trusted. What a client puts into it by itself is never reached.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const HEADER: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The nearest address that is not a `trusted` proxy's; that of the `peer` itself if a proxy says something absurd.
pub(super) fn origin(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    if !is_trusted(peer) {
        return peer;
    }
    let lines: Vec<_> = headers.get_all(HEADER).iter().collect();
    let mut origin = peer;
    for line in lines.into_iter().rev() {
        let Ok(line) = line.to_str() else { return peer };
        for entry in line.rsplit(',') {
            let Some(address) = read(entry.trim()) else { return peer };
            if !is_trusted(address) {
                return address;
            }
            origin = address;
        }
    }
    // Nobody but proxies: the first of them asked for itself.
    origin
}

/// An address, as some write it with a port or in brackets.
fn read(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|entry| entry.strip_suffix(']')).unwrap_or(entry);
    let address = bare.parse().ok().or_else(|| Some(entry.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{HEADER, origin};

    const PROXY: &str = "10.0.0.1";

    /// What is made of the lines of a header by a server that trusts 10.0.0.0/8 and fd00::/8.
    fn seen(peer: &str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HEADER, http::HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
        origin(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    /// A05
    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(seen("192.0.2.1", &["203.0.113.7"]), "192.0.2.1");
        assert_eq!(seen("::ffff:192.0.2.1", &["203.0.113.7"]), "192.0.2.1");
        assert_eq!(seen("192.0.2.1", &["10.0.0.1"]), "192.0.2.1");
    }

    /// A05: the client wrote the left of it.
    #[test]
    fn a_proxy_is_believed_about_its_own_client_alone() {
        assert_eq!(seen(PROXY, &["203.0.113.7"]), "203.0.113.7");
        assert_eq!(seen("::ffff:10.0.0.1", &["203.0.113.7"]), "203.0.113.7");
        assert_eq!(seen(PROXY, &["1.1.1.1, 203.0.113.7"]), "203.0.113.7");
        assert_eq!(seen(PROXY, &["1.1.1.1", "203.0.113.7"]), "203.0.113.7", "two lines are one list");
        assert_eq!(
            seen(PROXY, &["1.1.1.1, 203.0.113.7, fd00::9,10.2.3.4"]),
            "203.0.113.7",
            "a chain of ours"
        );
        assert_eq!(
            seen(PROXY, &["nonsense, 203.0.113.7"]),
            "203.0.113.7",
            "what comes before is nobody's concern"
        );
        assert_eq!(seen(PROXY, &["10.0.0.9, 10.0.0.8"]), "10.0.0.9", "a proxy that asks for itself");
    }

    #[test]
    fn other_forms_of_an_address_are_read() {
        for (form, address) in [
            ("203.0.113.7:4711", "203.0.113.7"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
        ] {
            assert_eq!(seen(PROXY, &[form]), address);
        }
    }

    #[test]
    fn nonsense_is_the_proxys_own() {
        for nonsense in [
            "",
            ",",
            "unknown",
            "203.0.113.7,",
            "203.0.113",
            "203.0.113.7 10.0.0.2",
            "\u{e9}",
            "[::1",
            "_hidden",
        ] {
            assert_eq!(seen(PROXY, &[nonsense]), PROXY, "{nonsense}");
        }
        assert_eq!(seen(PROXY, &[]), PROXY);
    }
}
