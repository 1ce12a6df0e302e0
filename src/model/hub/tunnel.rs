//! Connections through a proxy, whose answer has limits of time and size.
//!
//! [`ConnectProxyConnector`] starts its time limit again with each byte of the answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use ureq::{
    Error, Timeout,
    unversioned::transport::{
        Buffers, ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout, Transport,
    },
};

/// The most bytes of the answer to `CONNECT`, as of ureq's response headers.
const MAX_ANSWER: usize = 64 * 1024;

/// Connects through the proxy of the configuration, if there is one. The time limit is that for connecting, from the
/// search for the proxy's address to the end of its answer.
#[derive(Debug)]
pub(super) struct TunnelConnector {
    connector: ConnectProxyConnector,
    limit: Duration,
}

impl TunnelConnector {
    pub(super) fn new(limit: Duration) -> Self {
        Self { connector: ConnectProxyConnector::default(), limit }
    }
}

impl<In: Transport> Connector<In> for TunnelConnector {
    type Out = <ConnectProxyConnector as Connector<In>>::Out;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let is_open = Arc::new(AtomicBool::new(false));
        let ends = Instant::now() + self.limit;
        let (connect, opened) = (Arc::clone(&details.run_connector), Arc::clone(&is_open));
        let details = ConnectionDetails {
            uri: details.uri,
            addrs: details.addrs.clone(),
            config: details.config,
            request_level: details.request_level,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: Arc::clone(&details.current_time),
            run_connector: Arc::new(
                move |details: &ConnectionDetails<'_>| -> Result<Box<dyn Transport>, Error> {
                    let (inner, is_open) = (connect(details)?, Arc::clone(&opened));
                    Ok(Box::new(Answer { inner, ends, is_open }))
                },
            ),
            register_shutdown: Arc::clone(&details.register_shutdown),
        };
        let connected = self.connector.connect(&details, chained);
        is_open.store(true, Ordering::Relaxed);
        connected
    }
}

/// A connection to a proxy. The limits end with the answer.
#[derive(Debug)]
struct Answer {
    inner: Box<dyn Transport>,
    ends: Instant,
    is_open: Arc<AtomicBool>,
}

impl Transport for Answer {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, mut timeout: NextTimeout) -> Result<bool, Error> {
        if self.is_open.load(Ordering::Relaxed) {
            return self.inner.await_input(timeout);
        }
        let left = self.ends.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::Timeout(Timeout::Connect));
        }
        timeout.after = timeout.after.min(left.into());
        let has_more = self.inner.await_input(timeout)?;
        if self.inner.buffers().input().len() > MAX_ANSWER {
            let reason = format!("its answer has more than {MAX_ANSWER} bytes");
            return Err(Error::ConnectProxyFailed(reason));
        }
        Ok(has_more)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
