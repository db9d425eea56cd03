//! Streams of the embedder that lead to servers: asked for, opened, closed, and what comes over them.

use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::time::Instant;

use super::task::State;
use super::{GatherEvent, Gathered, Gatherer, Key, ServerError, TaskId};
use crate::path::{Path, StreamId};
use crate::stream::{OpenStream, Security};
use crate::stun::is_stun;
use crate::turn::{Framer, NotFramed};

/// The streams, and those that are not open yet.
#[derive(Debug, Default)]
pub(super) struct Streams {
    opening: Vec<(SocketAddr, SocketAddr, TaskId)>,
    open: BTreeMap<StreamId, Link>,
    by_task: BTreeMap<TaskId, StreamId>,
}

/// An open stream and the task that it is for.
#[derive(Debug)]
struct Link {
    task: TaskId,
    path: Path,
    /// For answers to Binding requests; a TURN client has its own.
    framer: Framer,
}

impl Streams {
    /// The path of a task that has a stream.
    pub(super) fn path(&self, task: TaskId) -> Option<Path> {
        let stream = self.by_task.get(&task)?;
        Some(self.open.get(stream)?.path)
    }

    pub(super) fn is_opening(&self, task: TaskId) -> bool {
        self.opening.iter().any(|(_, _, known)| *known == task)
    }

    fn take_opening(&mut self, local: SocketAddr, remote: SocketAddr) -> Option<TaskId> {
        let asked =
            |known: &(SocketAddr, SocketAddr, TaskId)| (known.0, known.1) == (local, remote);
        let index = self.opening.iter().position(asked)?;
        Some(self.opening.remove(index).2)
    }

    fn remove(&mut self, stream: StreamId) -> Option<TaskId> {
        let link = self.open.remove(&stream)?;
        self.by_task.remove(&link.task);
        Some(link.task)
    }

    /// All that are open, to close them.
    pub(super) fn ids(&self) -> impl Iterator<Item = StreamId> {
        self.open.keys().copied()
    }
}

impl Gatherer {
    /// A stream that an [`OpenStream`](GatherEvent::OpenStream) event asked for is open: `local` and
    /// `remote` are those of the event, `actual_local` is the address that it is bound to. If nobody
    /// needs it any more, [`CloseStream`](GatherEvent::CloseStream) follows.
    pub fn stream_opened(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        stream: StreamId,
        actual_local: SocketAddr,
        now: Instant,
    ) {
        if self.advance(now).is_err() {
            return;
        }
        let Some(task) = self.streams.take_opening(local, remote) else {
            self.events.push_back(GatherEvent::CloseStream(stream));
            return;
        };
        let path = Path::stream(stream, actual_local, remote);
        let framer = Framer::new();
        self.streams
            .open
            .insert(stream, Link { task, path, framer });
        self.streams.by_task.insert(task, stream);
        self.deadlines.set(Key::Task(task), None);
        if self.is_relay(task) {
            self.relay_path(task, path);
        } else {
            self.ask(task);
        }
        self.pump();
    }

    /// The stream cannot be opened.
    pub fn stream_failed(&mut self, local: SocketAddr, remote: SocketAddr, now: Instant) {
        if self.advance(now).is_ok()
            && let Some(task) = self.streams.take_opening(local, remote)
        {
            self.stream_missing(task);
            self.pump();
        }
    }

    /// A stream was closed by the other end, or broke.
    pub fn stream_closed(&mut self, stream: StreamId, now: Instant) {
        if self.advance(now).is_err() {
            return;
        }
        let Some(task) = self.streams.remove(stream) else {
            return;
        };
        if self.is_relay(task) {
            self.relay_stream_closed(task);
        } else {
            // The NAT forgets where the connection came from.
            self.withdraw_mapped(task);
            self.fail(task, ServerError::Stream);
        }
        self.pump();
    }

    /// Hands in octets of a stream, however they are cut. What peers sent over a relay waits for
    /// [`poll_data`](Self::poll_data).
    pub fn handle_stream(&mut self, stream: StreamId, octets: &[u8], now: Instant) -> Gathered {
        if self.advance(now).is_err() {
            return Gathered::NotMine;
        }
        let Some(link) = self.streams.open.get_mut(&stream) else {
            return Gathered::NotMine;
        };
        let (task, path) = (link.task, link.path);
        let mut framer = core::mem::take(&mut link.framer);
        if self.is_relay(task) {
            self.relay_stream(task, octets);
        } else if self.read_answers(path, &mut framer, octets).is_err() {
            self.withdraw_mapped(task);
            self.fail(task, ServerError::Stream);
        }
        if let Some(link) = self.streams.open.get_mut(&stream) {
            link.framer = framer;
        }
        self.pump();
        Gathered::Consumed
    }

    /// Answers to Binding requests; what was not asked for is passed over.
    fn read_answers(
        &mut self,
        path: Path,
        framer: &mut Framer,
        mut octets: &[u8],
    ) -> Result<(), NotFramed> {
        while let Some(frame) = framer.next(&mut octets)? {
            if !is_stun(frame) {
                return Err(NotFramed); // ChannelData is for TURN clients
            }
            let _ = self.handle_answer(path, frame);
        }
        Ok(())
    }

    /// Asks the embedder for a stream to the server of a task.
    pub(super) fn open_stream(
        &mut self,
        task: TaskId,
        local: SocketAddr,
        remote: SocketAddr,
        security: Security,
    ) {
        self.close_stream(task);
        self.streams.opening.push((local, remote, task));
        let at = self.after(self.config.answer_timeout);
        self.deadlines.set(Key::Task(task), at);
        self.events.push_back(GatherEvent::OpenStream(OpenStream {
            local,
            remote,
            security,
        }));
    }

    /// A task needs its stream no more, open or not.
    pub(super) fn close_stream(&mut self, task: TaskId) {
        self.streams.opening.retain(|(_, _, known)| *known != task);
        if let Some(stream) = self.streams.by_task.get(&task).copied() {
            self.streams.remove(stream);
            self.events.push_back(GatherEvent::CloseStream(stream));
        }
    }

    /// Its server-reflexive candidate ends.
    fn withdraw_mapped(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        if let State::Bound(mapped) | State::Refreshing(mapped, _) = task.state {
            self.withdraw(mapped, task.base, task.tcp, super::Source::Task(id));
        }
    }
}
