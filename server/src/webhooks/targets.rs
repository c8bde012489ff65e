//! Decides where messages may be sent, so that nobody uses the service to reach what only the
//! service can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::http::Uri;
use axum::http::uri::Scheme;

use crate::config::WebhooksConfig;

/// An address that may be sent to, judging by its text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Whether it is `https:`.
    pub is_secure: bool,
    /// The name of the host, or its address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The header `Host`.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

impl Target {
    /// Parses an address.
    ///
    /// # Errors
    /// The reason in words why it is refused.
    pub fn parse(text: &str, rules: &WebhooksConfig) -> Result<Target, String> {
        if text.len() > URL_MAX {
            return Err(format!("the address is longer than {URL_MAX} bytes"));
        }
        if text.contains('#') {
            return Err("the address has a part after #; leave it out".to_owned());
        }
        let uri: Uri = text
            .parse()
            .map_err(|_| "give an address such as https://example.com/path".to_owned())?;
        let is_secure = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP && rules.allow_http => false,
            _ => return Err("the address must begin with https://".to_owned()),
        };
        let authority = uri.authority().ok_or("the address has no host")?;
        if authority.as_str().contains('@') {
            return Err("the address must not hold a user name or a password".to_owned());
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        if host.is_empty() {
            return Err("the address has no host".to_owned());
        }
        let port = match (authority.port(), is_secure) {
            (Some(port), _) => port
                .as_str()
                .parse()
                .map_err(|_| "the port is not valid".to_owned())?,
            // A colon without a number is not a valid port.
            (None, _) if authority.as_str().ends_with(':') => {
                return Err("the port is not valid".to_owned());
            }
            (None, true) => 443,
            (None, false) => 80,
        };
        if !rules.ports.contains(&port) {
            return Err(format!("port {port} is not allowed"));
        }
        if let Ok(address) = host.parse() {
            check([SocketAddr::new(address, port)].iter(), rules)?;
        }
        let path = uri
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned();
        Ok(Target {
            is_secure,
            host,
            port,
            authority: authority.as_str().to_owned(),
            path,
        })
    }
}

/// Fails unless all addresses of a name are permitted.
///
/// # Errors
/// The reason in words, without the addresses.
pub fn check<'a>(
    addresses: impl Iterator<Item = &'a SocketAddr>,
    rules: &WebhooksConfig,
) -> Result<(), String> {
    for address in addresses {
        if !rules.allow_private && !is_public(address.ip()) {
            return Err(NOT_PUBLIC.to_owned());
        }
    }
    Ok(())
}

/// Whether an address is public on the internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let number = u32::from(address);
    !NOT_PUBLIC_V4
        .iter()
        .any(|(net, bits)| (number ^ u32::from(*net)) >> (32 - bits) == 0)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let number = u128::from(address);
    let is_in = |net: Ipv6Addr, bits: u32| (number ^ u128::from(net)) >> (128 - bits) == 0;
    // An IPv4 address in another notation is judged as IPv4.
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    if is_in(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96) {
        return is_public_v4(Ipv4Addr::from(number as u32));
    }
    // All addresses that are assigned to networks. Loopback, local and multicast addresses are
    // outside of it.
    is_in(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3)
        && !NOT_PUBLIC_V6.iter().any(|(net, bits)| is_in(*net, *bits))
}

/// IPv4 ranges that are not public, by IANA's special-purpose registry, plus multicast and an
/// address of one cloud's machines that looks public.
const NOT_PUBLIC_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Ranges in 2000::/3 that are not public: protocol assignments with Teredo, documentation, and
/// 6to4, which contains an IPv4 address.
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// The message for an address that is not public.
pub const NOT_PUBLIC: &str = "its address is not public";

/// Maximum length of an address in bytes.
const URL_MAX: usize = 2_000;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_an_address_within_a_network_passes_for_public() {
        let refused = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:10.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for text in refused {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        let public = [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2001:4860:4860::8888",
            "2606:4700::1111",
        ];
        for text in public {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_no_plain_https_address_is_refused() {
        let rules = WebhooksConfig::default();
        for text in [
            "",
            "/path",
            "example.com",
            "http://example.com/",
            "ftp://example.com/",
            "https://",
            "https:///path",
            "https://user@example.com/",
            "https://user:password@example.com/",
            "https://example.com:8443/",
            "https://example.com:22/",
            "https://example.com:/",
            "https://example.com:0/",
            "https://example.com/#part",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://exa mple.com/",
            &format!("https://example.com/{}", "a".repeat(URL_MAX)),
        ] {
            assert!(Target::parse(text, &rules).is_err(), "{text}");
        }
        let target = Target::parse("https://example.com/path?query=1", &rules).unwrap();
        assert_eq!(
            (target.host.as_str(), target.port, target.path.as_str()),
            ("example.com", 443, "/path?query=1")
        );
        let address = Target::parse("https://[2606:4700::1111]", &rules).unwrap();
        assert_eq!(
            (address.host.as_str(), address.path.as_str()),
            ("2606:4700::1111", "/")
        );
    }
}
