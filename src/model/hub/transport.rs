//! Connections that end if the body of a response arrives too slowly.
//!
//! A server can send bytes that belong to no body, such as those of a chunk's extension, without end.
//! A read of the body does not return meanwhile, so the connection itself looks at the clock.

use std::{sync::Arc, time::Duration};

use ureq::{
    Agent, Error,
    config::Config,
    unversioned::{
        resolver::DefaultResolver,
        transport::{
            Buffers, ConnectionDetails, Connector, NextTimeout, RustlsConnector, TcpConnector,
            Transport,
        },
    },
};

use super::{limits::Pace, tunnel::TunnelConnector};

/// An agent with connections that end at the pace's limit. `connect` limits the time until a proxy has answered.
pub(super) fn agent(config: Config, connect: Duration, pace: &Arc<Pace>) -> Agent {
    let connector = ()
        .chain(TunnelConnector::new(connect))
        .chain(TcpConnector::default())
        // Below TLS, whose records can also arrive byte by byte.
        .chain(SteadyConnector(Arc::clone(pace)))
        .chain(RustlsConnector::default());
    Agent::with_parts(config, connector, DefaultResolver::default())
}

#[derive(Debug)]
struct SteadyConnector(Arc<Pace>);

impl<In: Transport> Connector<In> for SteadyConnector {
    type Out = SteadyTransport<In>;

    fn connect(
        &self,
        _details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let pace = Arc::clone(&self.0);
        Ok(chained.map(|inner| SteadyTransport { inner, pace }))
    }
}

#[derive(Debug)]
struct SteadyTransport<T> {
    inner: T,
    pace: Arc<Pace>,
}

impl<T: Transport> Transport for SteadyTransport<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.pace.check()?;
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
