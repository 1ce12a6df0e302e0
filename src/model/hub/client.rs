//! HTTP requests to the hub. Redirects are followed here, so that the token is never sent to
//! another server.

use std::time::Duration;

use ureq::{
    Agent, Body,
    http::{HeaderMap, Response, Uri, header},
};

use super::HubError;

const MAX_REDIRECTS: usize = 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);
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
    /// [`HubError::Endpoint`] if `url` is not an absolute HTTP URL.
    pub(super) fn parse(url: &str) -> Result<Self, HubError> {
        let uri = url.parse::<Uri>().ok();
        uri.and_then(|uri| Self::of(&uri))
            .ok_or_else(|| HubError::Endpoint { endpoint: url.to_owned() })
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
            port: uri.port_u16().unwrap_or(default_port),
        })
    }
}

/// Sends requests to a hub and to the targets of its redirects.
#[derive(Clone, Debug)]
pub(super) struct Client {
    agent: Agent,
    hub: Origin,
    token: Option<String>,
}

impl Client {
    pub(super) fn new(hub: Origin, token: Option<String>) -> Self {
        let agent = Agent::config_builder()
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(RESPONSE_TIMEOUT))
            .user_agent(USER_AGENT)
            .build()
            .into();
        Self { agent, hub, token }
    }

    /// Sends a GET request and follows redirects. Other hosts do not get the token. `from` is the
    /// first requested byte. `name` is the repository or file for error messages.
    ///
    /// # Errors
    /// If a server cannot be reached or returns an error, or if a redirect cannot be followed.
    pub(super) fn get(
        &self,
        name: &str,
        url: &str,
        from: Option<u64>,
    ) -> Result<Response<Body>, HubError> {
        let mut uri = parse(url, url)?;
        for _ in 0..MAX_REDIRECTS {
            let mut request = self.agent.get(&uri);
            if let Some(from) = from {
                request = request.header(header::RANGE, format!("bytes={from}-"));
            }
            if let Some(token) = self.token_for(&uri) {
                request = request.header(header::AUTHORIZATION, token);
            }
            let response = request.call().map_err(|source| api_error(name, source))?;
            match redirect(&uri, &response)? {
                Some(target) => uri = target,
                None => return Ok(response),
            }
        }
        Err(HubError::Redirect { url: url.to_owned(), location: String::new() })
    }

    /// Requests the headers of a file. Only follows redirects within the hub, because headers of
    /// other hosts do not describe the repository.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(super) fn head(&self, name: &str, url: &str) -> Result<HeaderMap, HubError> {
        let mut uri = parse(url, url)?;
        for _ in 0..MAX_REDIRECTS {
            let mut request = self.agent.head(&uri);
            if let Some(token) = self.token_for(&uri) {
                request = request.header(header::AUTHORIZATION, token);
            }
            let response = request.call().map_err(|source| api_error(name, source))?;
            match redirect(&uri, &response)? {
                Some(target) if Origin::of(&target).as_ref() == Some(&self.hub) => uri = target,
                _ => return Ok(response.into_parts().0.headers),
            }
        }
        Err(HubError::Redirect { url: url.to_owned(), location: String::new() })
    }

    /// The authorization header for a request. `None` for every origin except the hub's.
    fn token_for(&self, uri: &Uri) -> Option<String> {
        let token = self.token.as_ref()?;
        (Origin::of(uri)? == self.hub).then(|| format!("Bearer {token}"))
    }
}

fn api_error(name: &str, source: ureq::Error) -> HubError {
    HubError::Api { repo: name.to_owned(), source: Box::new(source) }
}

/// The target of a redirect. `None` if the response is not a redirect.
fn redirect(from: &Uri, response: &Response<Body>) -> Result<Option<Uri>, HubError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = response.headers().get(header::LOCATION);
    let location = location.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let location = location.unwrap_or_default();
    let target = if location.starts_with('/') && !location.starts_with("//") {
        let scheme = from.scheme_str().unwrap_or_default();
        let authority = from.authority().map_or("", |authority| authority.as_str());
        format!("{scheme}://{authority}{location}")
    } else {
        location.clone()
    };
    parse(&target, &from.to_string()).map(Some)
}

/// An absolute HTTP URL.
fn parse(target: &str, requested: &str) -> Result<Uri, HubError> {
    target.parse::<Uri>().ok().filter(|uri| Origin::of(uri).is_some()).ok_or_else(|| {
        HubError::Redirect { url: requested.to_owned(), location: target.to_owned() }
    })
}
