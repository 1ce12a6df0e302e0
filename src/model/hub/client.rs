//! HTTP requests to the hub. Redirects are followed here, so that the token is never sent to
//! another server.

use std::{fmt, io::Read, sync::Arc, time::Duration};

use ureq::{
    Agent, Body, BodyReader,
    config::Config,
    http::{HeaderMap, HeaderValue, Response, Uri, header},
};

use super::{
    HubError,
    limits::{Limits, Pace, SteadyBody},
    proxy::NamedProxy,
    transport,
    url::{port, shown},
};

const MAX_REDIRECTS: usize = 10;
/// The maximum size of a listing in bytes. The largest repositories have listings of some MB.
const MAX_LISTING: u64 = 32 << 20;
const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// The origin of a URL: scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    /// # Errors
    /// [`HubError::Endpoint`] if `url` is not an absolute HTTP URL with a valid port.
    pub(super) fn parse(url: &str) -> Result<Self, HubError> {
        let uri = url.parse::<Uri>().ok();
        uri.and_then(|uri| Self::of(&uri))
            .ok_or_else(|| HubError::Endpoint { endpoint: shown(url) })
    }

    fn of(uri: &Uri) -> Option<Self> {
        let default_port = match uri.scheme_str()? {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        Some(Self {
            scheme: uri.scheme_str()?.to_owned(),
            host: uri.host()?.to_ascii_lowercase(),
            port: port(uri, default_port)?,
        })
    }

    /// Whether connections to it are encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        self.scheme == "https"
    }
}

/// The access token of a user. Its `Debug` output does not contain it.
#[derive(Clone)]
pub(super) struct Token(String);

impl From<String> for Token {
    fn from(token: String) -> Self {
        Self(token)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// A request for the rest of a file.
#[derive(Clone, Debug)]
pub(super) struct Rest {
    /// The first requested byte.
    pub(super) from: u64,
    /// The entity tag of the bytes before it. The server sends the whole file if it has another.
    pub(super) etag: Option<HeaderValue>,
}

/// Sends requests to a hub and to the targets of its redirects.
#[derive(Clone, Debug)]
pub(super) struct Client {
    config: Config,
    hub: Origin,
    token: Option<Token>,
    /// The variable that names the proxy.
    proxy: Option<&'static str>,
    pub(super) limits: Limits,
}

impl Client {
    pub(super) fn new(
        hub: Origin,
        token: Option<Token>,
        proxy: Option<NamedProxy>,
        limits: Limits,
    ) -> Self {
        let (variable, proxy) = proxy.map(|it| (it.variable, it.proxy)).unzip();
        let config = Agent::config_builder()
            .proxy(proxy)
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_connect(Some(limits.connect))
            .timeout_recv_response(Some(limits.response))
            .timeout_per_read(Some(limits.idle))
            .timeout_per_write(Some(limits.idle))
            .user_agent(USER_AGENT)
            .build();
        Self { config, hub, token, proxy: variable, limits }
    }

    /// Requests a listing. `name` is the repository for error messages.
    ///
    /// # Errors
    /// As [`Self::file`], and if the body is too large or does not arrive in time.
    pub(super) fn listing(&self, name: &str, url: &str) -> Result<Vec<u8>, HubError> {
        let pace = Arc::new(Pace::new(&self.limits));
        let agent = transport::agent(self.config.clone(), self.limits.connect, &pace);
        let response = self.follow(&agent, name, url, None, Some(self.limits.response))?;
        let mut body = Vec::new();
        response
            .into_body()
            .into_reader()
            .take(MAX_LISTING + 1)
            .read_to_end(&mut body)
            .map_err(|source| HubError::Body { name: name.to_owned(), source })?;
        if body.len() as u64 > MAX_LISTING {
            return Err(HubError::ListingTooLarge { repo: name.to_owned(), limit: MAX_LISTING });
        }
        Ok(body)
    }

    /// Requests a file, or the rest of it. The status of the response is 200, or 206 for the rest.
    /// `name` is the file for error messages.
    ///
    /// # Errors
    /// If a server cannot be reached or does not respond in time, if it returns another status, or
    /// if a redirect cannot be followed.
    pub(super) fn file(
        &self,
        name: &str,
        url: &str,
        rest: Option<&Rest>,
    ) -> Result<Response<SteadyBody<BodyReader<'static>>>, HubError> {
        let pace = Arc::new(Pace::new(&self.limits));
        let agent = transport::agent(self.config.clone(), self.limits.connect, &pace);
        let response = self.follow(&agent, name, url, rest, None)?;
        Ok(response.map(|body| SteadyBody::new(body.into_reader(), pace)))
    }

    /// Sends a GET request and follows redirects. Other origins do not get the token. `body_time`
    /// limits the time for the body.
    fn follow(
        &self,
        agent: &Agent,
        name: &str,
        url: &str,
        rest: Option<&Rest>,
        body_time: Option<Duration>,
    ) -> Result<Response<Body>, HubError> {
        let mut uri = absolute(url, url)?;
        for _ in 0..=MAX_REDIRECTS {
            let mut request = agent.get(&uri).config().timeout_recv_body(body_time).build();
            if let Some(Rest { from, etag }) = rest {
                request = request.header(header::RANGE, format!("bytes={from}-"));
                if let Some(etag) = etag {
                    request = request.header(header::IF_RANGE, etag);
                }
            }
            if let Some(token) = self.token_for(&uri) {
                request = request.header(header::AUTHORIZATION, token);
            }
            let response = request.call().map_err(|source| HubError::Api {
                name: name.to_owned(),
                source: Box::new(source),
                proxy: self.proxy,
            })?;
            match response.status().as_u16() {
                200 => return Ok(response),
                206 if rest.is_some() => return Ok(response),
                301 | 302 | 303 | 307 | 308 => uri = redirect_target(&uri, response.headers())?,
                status => return Err(HubError::Status { name: name.to_owned(), status }),
            }
        }
        Err(HubError::TooManyRedirects { url: shown(url), limit: MAX_REDIRECTS })
    }

    /// The authorization header for a request. `None` for every origin except the hub's.
    fn token_for(&self, uri: &Uri) -> Option<String> {
        let Token(token) = self.token.as_ref()?;
        (Origin::of(uri)? == self.hub).then(|| format!("Bearer {token}"))
    }
}

fn redirect_target(from: &Uri, headers: &HeaderMap) -> Result<Uri, HubError> {
    let location = headers.get(header::LOCATION);
    let location = location.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let location = location.unwrap_or_default();
    let target = if location.starts_with('/') && !location.starts_with("//") {
        let scheme = from.scheme_str().unwrap_or_default();
        let authority = from.authority().map_or("", |authority| authority.as_str());
        format!("{scheme}://{authority}{location}")
    } else {
        location
    };
    let target = absolute(&target, &from.to_string())?;
    if from.scheme_str() == Some("https") && target.scheme_str() != Some("https") {
        // Anybody on the way could change the listing.
        let (url, location) = (shown(&from.to_string()), shown(&target.to_string()));
        return Err(HubError::Redirect { url, location });
    }
    Ok(target)
}

/// An absolute HTTP URL.
fn absolute(target: &str, requested: &str) -> Result<Uri, HubError> {
    target
        .parse::<Uri>()
        .ok()
        .filter(|uri| Origin::of(uri).is_some())
        .ok_or_else(|| HubError::Redirect { url: shown(requested), location: shown(target) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encrypted_hub_does_not_redirect_to_an_unencrypted_server() {
        let redirect = |from: &'static str, location: &'static str| {
            let location = HeaderValue::from_static(location);
            let headers = [(header::LOCATION, location)].into_iter().collect();
            redirect_target(&Uri::from_static(from), &headers).map(|target| target.to_string())
        };
        let same = redirect("https://hub/a", "/b").expect("followed");
        assert_eq!(same, "https://hub/b");
        assert!(redirect("https://hub/a", "https://files/b").is_ok());
        assert!(redirect("http://hub/a", "http://files/b").is_ok());
        assert!(redirect("http://hub/a", "https://files/b").is_ok());
        let error = redirect("https://hub/a", "http://files/b").expect_err("refused");
        assert!(error.to_string().contains("http://files/b"), "{error}");
    }
}
