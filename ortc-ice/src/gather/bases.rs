//! What a gatherer is told: the local addresses, and the servers.

use core::net::SocketAddr;
use std::time::Instant;

use super::relayed::Farewell;
use super::round::{any_port, host_tcp};
use super::task::Task;
use super::{GatherError, Gatherer, Lookup, Server, ServerCredentials, ServerId, Source, TaskId};
use crate::address::check_address;
use crate::candidate::TcpType;
use crate::server_uri::ServerUri;

/// Bases of one gatherer at most.
const BASES_MAX: usize = 64;
/// Servers of one gatherer at most.
const SERVERS_MAX: usize = 16;

impl Gatherer {
    /// A UDP socket is bound to this address, and its datagrams are handed in. Its candidates come
    /// with the next [`gather`](Self::gather). One that is there already stays as it is.
    ///
    /// # Errors
    ///
    /// [`GatherError::Address`] for an address that nothing can be sent to, as 0.0.0.0: list the
    /// addresses of the interfaces. [`GatherError::TooManyBases`], [`GatherError::Closed`].
    pub fn add_base(&mut self, base: SocketAddr) -> Result<(), GatherError> {
        self.check_open()?;
        check_address(base).map_err(GatherError::Address)?;
        if self.is_full() && !self.bases.contains(&base) {
            return Err(GatherError::TooManyBases);
        }
        self.bases.insert(base);
        Ok(())
    }

    /// Connections over TCP (RFC 6544) are made from this address ([`TcpType::Active`], whatever its
    /// port), or accepted at it. Its candidates come with the next [`gather`](Self::gather), and
    /// `stuns` servers are asked from those that accept.
    ///
    /// # Errors
    ///
    /// As [`add_base`](Self::add_base).
    pub fn add_tcp_base(&mut self, base: SocketAddr, kind: TcpType) -> Result<(), GatherError> {
        self.check_open()?;
        let (mut checked, base) = (base, origin(base, kind));
        if base.port() == 0 {
            checked.set_port(1); // any will do
        }
        check_address(checked).map_err(GatherError::Address)?;
        if self.is_full() && !self.tcp_bases.contains(&(base, kind)) {
            return Err(GatherError::TooManyBases);
        }
        self.tcp_bases.insert((base, kind));
        Ok(())
    }

    /// Undoes [`add_tcp_base`](Self::add_tcp_base): its candidates end at once.
    pub fn remove_tcp_base(&mut self, base: SocketAddr, kind: TcpType, now: Instant) {
        let base = origin(base, kind);
        if self.advance(now).is_err() || !self.tcp_bases.remove(&(base, kind)) {
            return;
        }
        let host = host_tcp(base, kind);
        self.withdraw(host.address, host.base, host.tcp, Source::Base);
        self.end_tasks_without_base();
        self.pump();
    }

    fn is_full(&self) -> bool {
        self.bases.len() + self.tcp_bases.len() >= BASES_MAX
    }

    /// The tasks of bases that are gone end; there is nothing to say goodbye with.
    fn end_tasks_without_base(&mut self) {
        let is_homeless = |(id, task): (TaskId, &Task)| {
            let any_port = task.base.port() == 0;
            let udp = self.bases.iter().map(|base| (*base, None));
            let tcp = self.tcp_bases.iter().map(|(base, tcp)| (*base, Some(*tcp)));
            let home = udp.chain(tcp).any(|(base, tcp)| match any_port {
                true => base.ip() == task.base.ip(),
                false => (base, tcp) == (task.base, task.tcp),
            });
            (!home).then_some(id)
        };
        let homeless: Vec<_> = self.tasks.iter().filter_map(is_homeless).collect();
        for id in homeless {
            self.end_task(id, Farewell::None);
        }
    }

    /// The socket of a base is gone: its candidates end at once, relayed ones included.
    pub fn remove_base(&mut self, base: SocketAddr, now: Instant) {
        if self.advance(now).is_err() || !self.bases.remove(&base) {
            return;
        }
        self.withdraw(base, base, None, Source::Base);
        self.end_tasks_without_base();
        self.pump();
    }

    /// The bases, in order.
    pub fn bases(&self) -> impl Iterator<Item = SocketAddr> {
        self.bases.iter().copied()
    }

    /// A server to ask from the next [`gather`](Self::gather) on. Credentials count for TURN; when
    /// the URI is known already, they replace those that it had, for allocations made from now on.
    ///
    /// # Errors
    ///
    /// [`GatherError::TooManyServers`], [`GatherError::Closed`].
    pub fn add_server(
        &mut self,
        uri: ServerUri,
        credentials: Option<ServerCredentials>,
    ) -> Result<ServerId, GatherError> {
        self.check_open()?;
        let known = |(_, known): &(&ServerId, &mut Server)| known.uri == uri;
        if let Some((id, server)) = self.servers.iter_mut().find(known) {
            server.credentials = credentials;
            return Ok(*id);
        }
        if self.servers.len() >= SERVERS_MAX {
            return Err(GatherError::TooManyServers);
        }
        let id = ServerId(self.server_serial);
        self.server_serial += 1;
        self.servers.insert(id, Server::new(uri, credentials));
        Ok(id)
    }

    /// Asks a server no more: what it gave ends, its allocations are given back.
    pub fn remove_server(&mut self, server: ServerId, now: Instant) {
        if self.advance(now).is_err() || self.servers.remove(&server).is_none() {
            return;
        }
        let tasks: Vec<_> = self.tasks.of_server(server).map(|(id, _)| id).collect();
        for id in tasks {
            self.end_task(id, Farewell::Refresh);
        }
        self.forget_queries();
        self.pump();
    }

    /// The URI of a server.
    #[must_use]
    pub fn server(&self, server: ServerId) -> Option<&ServerUri> {
        self.servers.get(&server).map(|server| &server.uri)
    }

    /// Whether a server has still to answer, or its name to be resolved.
    #[must_use]
    pub fn is_pending(&self, server: ServerId) -> bool {
        let known = self.servers.get(&server);
        known.is_some_and(|known| matches!(known.lookup, Lookup::Asked(_)))
            || self
                .tasks
                .of_server(server)
                .any(|(_, task)| task.state.is_pending())
    }
}

/// Connections are made from any port, and accepted at one.
const fn origin(base: SocketAddr, kind: TcpType) -> SocketAddr {
    match kind {
        TcpType::Active => any_port(base),
        TcpType::Passive | TcpType::SimultaneousOpen => base,
    }
}
