//! Where a request comes from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::state::AppState;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The client's address: the connection's, or what a trusted proxy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// The address; unspecified where the host serves without [`ConnectInfo`].
    pub address: IpAddr,
    /// Whether the client itself speaks TLS, as far as a trusted proxy says so.
    pub secure: bool,
    /// Whether a trusted proxy passed the request on, and did not send one of its machine's own.
    pub by_proxy: bool,
}

impl Client {
    /// Decides from the connection's peer and the headers.
    pub(crate) fn of(peer: Option<IpAddr>, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> Self {
        let trusted = |address: &IpAddr| trusted_proxies.iter().any(|network| network.contains(address));
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.to_canonical());
        if !trusted(&peer) {
            return Self {
                address: peer,
                secure: false,
                by_proxy: false,
            };
        }
        let secure = headers
            .get(FORWARDED_PROTO)
            .is_some_and(|proto| proto.as_bytes().trim_ascii().eq_ignore_ascii_case(b"https"));
        Self {
            address: forwarded(headers, trusted).unwrap_or(peer),
            secure,
            by_proxy: headers.contains_key(FORWARDED_FOR),
        }
    }
}

/// The address nearest to us that no trusted proxy has: whatever is left of it, the client may have made up.
fn forwarded(headers: &HeaderMap, trusted: impl Fn(&IpAddr) -> bool) -> Option<IpAddr> {
    let mut nearest = None;
    let lines: Vec<_> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let address = parse_hop(hop.trim())?.to_canonical();
        nearest = Some(address);
        if !trusted(&address) {
            break;
        }
    }
    nearest
}

/// An address, perhaps with a port, as proxies write it.
fn parse_hop(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()))
        .or_else(|_| text.trim_start_matches('[').trim_end_matches(']').parse())
        .ok()
}

impl FromRequestParts<AppState> for Client {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Self::Rejection> {
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|ConnectInfo(peer)| peer.ip());
        Ok(Self::of(peer, &parts.headers, &state.options().trusted_proxies))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        Client::of(Some(peer.parse().unwrap()), &headers, &trusted)
            .address
            .to_string()
    }

    #[test]
    fn a_forwarded_address_is_believed_from_trusted_proxies_only() {
        assert_eq!(address("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(address("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(address("::1", &["198.51.100.7:4711"]), "198.51.100.7");
        assert_eq!(address("10.0.0.1", &["[2001:db8::1]:80"]), "2001:db8::1");
        assert_eq!(
            address("::ffff:10.0.0.1", &["::ffff:198.51.100.7"]),
            "198.51.100.7"
        );
        assert_eq!(address("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn who_is_on_the_proxy_s_machine_is_no_proxy_unless_it_says_for_whom_it_asks() {
        let trusted = ["127.0.0.1/32".parse().unwrap()];
        let by_proxy = |peer: &str, headers: &HeaderMap| {
            Client::of(Some(peer.parse().unwrap()), headers, &trusted).by_proxy
        };
        let none = HeaderMap::new();
        let forwarded = HeaderMap::from_iter([(FORWARDED_FOR, "198.51.100.7".parse().unwrap())]);
        assert!(by_proxy("127.0.0.1", &forwarded));
        assert!(!by_proxy("127.0.0.1", &none) && !by_proxy("192.0.2.1", &forwarded));
    }

    #[test]
    fn what_a_client_puts_before_the_proxies_own_entry_counts_for_nothing() {
        assert_eq!(
            address("10.0.0.1", &["1.1.1.1, 198.51.100.7, 10.2.2.2"]),
            "198.51.100.7"
        );
        assert_eq!(address("10.0.0.1", &["1.1.1.1", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(address("10.0.0.1", &["198.51.100.7, nonsense"]), "10.0.0.1");
    }
}
