//! Ports of URLs, and URLs in messages.

use std::fmt;

use ureq::http::Uri;

/// A URL with user information or a query that nobody else may read. Its `Debug` output is [`shown`].
#[derive(Clone)]
pub(super) struct SecretUrl(pub(super) String);

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

/// The port of a URL, or `default` if it names none. `None` if the port is not a number below 65536: [`Uri`] ignores it.
pub(super) fn port(uri: &Uri, default: u16) -> Option<u16> {
    let authority = uri.authority()?;
    let host = authority.as_str().rsplit('@').next()?;
    match host.strip_prefix(authority.host())? {
        "" | ":" => Some(default),
        port => port.strip_prefix(':')?.parse().ok(),
    }
}

/// A URL for messages: without user information and query, which may contain passwords and
/// signatures.
pub(super) fn shown(url: &str) -> String {
    let uri = url.parse::<Uri>().ok();
    // A password may end at the last `@`, even one behind the host.
    match uri.filter(|uri| !uri.path_and_query().is_some_and(|it| it.as_str().contains('@'))) {
        Some(uri) => {
            let scheme = uri.scheme_str().map(|scheme| format!("{scheme}://")).unwrap_or_default();
            let authority = uri.authority().map_or("", |it| it.as_str());
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            format!("{scheme}{host}{}", uri.path())
        }
        None if url.contains('@') => "(a URL with a password)".to_owned(),
        None => url.split(['?', '#']).next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_number_below_65536() {
        let cases = [
            ("http://hub", Some(80)),
            ("http://hub:/x", Some(80)),
            ("http://user:9@hub:8080/x:1", Some(8080)),
            ("http://[::1]:65535", Some(65535)),
            ("http://[::1]", Some(80)),
            ("http://hub:65536", None),
            ("http://[::1]:70000/x", None),
            ("http://user:9@hub:x/y@z", None),
        ];
        for (url, expected) in cases {
            assert_eq!(port(&Uri::from_static(url), 80), expected, "{url}");
        }
    }

    #[test]
    fn a_shown_url_has_no_password_and_no_query() {
        let cases = [
            ("https://user:SECRET@mirror:8443/a/b", "https://mirror:8443/a/b"),
            ("ftp://files/a?X-Amz-Signature=SECRET", "ftp://files/a"),
            ("https://SECRET@mirror/", "https://mirror/"),
            ("/a?SECRET", "/a"),
            ("http://user:SECRET@127.0.0.1:1/x y", "(a URL with a password)"),
            ("http://user:SEC/RET@mirror", "(a URL with a password)"),
            ("http://user:SEC?RET@mirror", "(a URL with a password)"),
            ("http://mirror/x y?SECRET", "http://mirror/x y"),
            ("", ""),
        ];
        for (url, expected) in cases {
            assert_eq!(shown(url), expected);
            assert_eq!(format!("{:?}", SecretUrl(url.to_owned())), expected);
        }
    }
}
