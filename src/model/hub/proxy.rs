//! The proxy for requests, from the variables of the environment.
//!
//! ureq reads the same variables, but it connects directly if a value is invalid, or if the proxy uses SOCKS, which its
//! feature `socks-proxy` would need. A direct connection is what a proxy may be there to avoid, so that both are errors
//! here.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt,
};

use ureq::{Proxy, ProxyProtocol};

use super::{HubError, url::port};

/// The variables with proxies for encrypted hubs. The first that is set counts.
const FOR_HTTPS: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"];
/// The variables with proxies for unencrypted hubs. The first that is set counts.
const FOR_HTTP: [&str; 6] =
    ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"];
/// The variables with hosts that need no proxy. The first that is set counts.
const WITHOUT: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The variables of the environment that choose a proxy. The `Debug` output has no values, which may contain passwords.
#[derive(Clone, Default)]
pub(super) struct Variables(Vec<(&'static str, OsString)>);

/// A proxy, and the variable that names it.
#[derive(Clone, Debug)]
pub(super) struct NamedProxy {
    pub(super) variable: &'static str,
    pub(super) proxy: Proxy,
}

impl Variables {
    /// The variables of this process.
    pub(super) fn of_process() -> Self {
        let names = FOR_HTTPS.into_iter().chain(WITHOUT);
        names.filter_map(|name| Some((name, env::var_os(name)?))).collect()
    }

    /// The proxy for a hub. `None` if no variable names one.
    ///
    /// # Errors
    /// [`HubError::Proxy`] if the proxy cannot be used.
    pub(super) fn proxy(&self, is_encrypted: bool) -> Result<Option<NamedProxy>, HubError> {
        let names = if is_encrypted { FOR_HTTPS } else { FOR_HTTP };
        let Some((variable, value)) = self.first(&names) else { return Ok(None) };
        let without = self.first(&WITHOUT).map(|(_, hosts)| hosts.to_string_lossy());
        let proxy = parse(value, without.as_deref().unwrap_or_default());
        let proxy = proxy.map_err(|reason| HubError::Proxy { variable, reason })?;
        Ok(Some(NamedProxy { variable, proxy }))
    }

    /// The first of these variables that is set and not empty.
    fn first(&self, names: &[&str]) -> Option<(&'static str, &OsStr)> {
        let value_of =
            |name: &&str| self.0.iter().find(|(it, value)| it == name && !value.is_empty());
        names.iter().find_map(value_of).map(|(name, value)| (*name, value.as_os_str()))
    }
}

impl FromIterator<(&'static str, OsString)> for Variables {
    fn from_iter<T: IntoIterator<Item = (&'static str, OsString)>>(variables: T) -> Self {
        Self(variables.into_iter().collect())
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// The proxy at a URL, except for the hosts in `without`, a list with commas.
///
/// # Errors
/// The reason why it cannot be used, without the value.
fn parse(value: &OsStr, without: &str) -> Result<Proxy, String> {
    let value = value.to_str().ok_or("it is not UTF-8")?.trim();
    let proxy = Proxy::new(value).map_err(|_| "it is not the URL of a proxy")?;
    match proxy.protocol() {
        ProxyProtocol::Http | ProxyProtocol::Https => {}
        other => return Err(format!("the protocol {other} is not supported")),
    }
    // An unescaped password may contain a slash, so that its first part would count as the port or the host.
    if proxy.uri().path_and_query().is_some_and(|path| path != "/") {
        return Err("it has a path; write a slash in a password as %2F".to_owned());
    }
    let port = port(proxy.uri(), proxy.port()).ok_or("its port is not a number below 65536")?;
    // Only the builder takes hosts without a proxy.
    let mut builder = Proxy::builder(proxy.protocol()).host(proxy.host()).port(port);
    if let Some(name) = proxy.username() {
        builder = builder.username(name);
    }
    if let Some(password) = proxy.password() {
        builder = builder.password(password);
    }
    for host in without.split(',').map(str::trim).filter(|host| !host.is_empty()) {
        builder = builder.no_proxy(host);
    }
    builder.build().map_err(|_| "it is not the URL of a proxy".to_owned())
}

#[cfg(test)]
mod tests {
    use ureq::http::Uri;

    use super::*;

    fn variables(set: &[(&'static str, &str)]) -> Variables {
        set.iter().map(|(name, value)| (*name, OsString::from(value))).collect()
    }

    fn chosen(set: &[(&'static str, &str)], is_encrypted: bool) -> Option<&'static str> {
        variables(set).proxy(is_encrypted).expect("usable").map(|proxy| proxy.variable)
    }

    #[test]
    fn the_proxy_for_the_scheme_of_the_hub_precedes_others() {
        let all = [
            ("ALL_PROXY", "http://all:1"),
            ("HTTP_PROXY", "http://plain:1"),
            ("https_proxy", "https://tls:1"),
        ];
        assert_eq!(chosen(&all, true), Some("https_proxy"));
        assert_eq!(chosen(&all, false), Some("HTTP_PROXY"));
        assert_eq!(chosen(&all[..1], true), Some("ALL_PROXY"));
        assert_eq!(chosen(&all[1..2], true), Some("HTTP_PROXY"));
        assert_eq!(chosen(&[("HTTPS_PROXY", ""), ("ALL_PROXY", "all:1")], true), Some("ALL_PROXY"));
        assert_eq!(chosen(&[("NO_PROXY", "*"), ("ALL_PROXY", "")], true), None);
    }

    #[test]
    fn a_proxy_keeps_its_name_password_and_port_and_the_hosts_without_it() {
        let set = [("ALL_PROXY", "http://ona:p%40ss@[::1]:8080/"), ("no_proxy", "a.org, .b.org,")];
        let proxy = variables(&set).proxy(true).expect("usable").expect("a proxy").proxy;
        assert_eq!((proxy.username(), proxy.password()), (Some("ona"), Some("p@ss")));
        assert_eq!((proxy.host(), proxy.port()), ("[::1]", 8080));
        assert!(!format!("{proxy:?}").contains("p%40ss"));
        let is_without = |url| proxy.is_no_proxy(&Uri::from_static(url));
        assert!(is_without("https://a.org/x") && is_without("https://c.b.org"));
        assert!(!is_without("https://b.org") && !is_without("https://huggingface.co"));
        let port =
            |url| variables(&[("ALL_PROXY", url)]).proxy(true).unwrap().unwrap().proxy.port();
        assert_eq!([port("proxy"), port("https://proxy"), port("proxy:3128")], [80, 443, 3128]);
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_named_without_its_value() {
        for (value, word) in [
            ("socks5://ona:SECRET@proxy:1", "SOCKS5"),
            ("socks5h://SECRET@proxy", "SOCKS5h"),
            ("socks4://SECRET@proxy", "SOCKS4"),
            ("http//SECRET@proxy:1", "URL"),
            ("SECRET://proxy", "URL"),
            ("http://ona:SECRET@proxy:70000", "port"),
            ("http://ona:12/SECRET@proxy:80", "%2F"),
            ("http://ona:SECRET/x@proxy:80", "%2F"),
            (" ", "URL"),
        ] {
            let variables = variables(&[("HTTPS_PROXY", value), ("HTTP_PROXY", "http://other:1")]);
            let error = variables.proxy(true).expect_err(value);
            assert!(matches!(error, HubError::Proxy { variable: "HTTPS_PROXY", .. }), "{error}");
            let texts = format!("{error} {error:?} {variables:?}");
            assert!(texts.contains(word) && !texts.contains("SECRET"), "{texts}");
        }
    }
}
