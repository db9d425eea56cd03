//! What the program shows: a log, and below it a table of who publishes and who plays.

use std::io::{IsTerminal as _, Write as _, stdout};
use std::time::Instant;

use ortc_core::SendTrackStats;

use crate::room::Sessions;
use crate::session::{Part, Session};

/// On a terminal the table stays at the end and is drawn over; elsewhere only the log is written.
pub(crate) struct Screen {
    terminal: bool,
    /// Lines of the table that are on the screen.
    drawn: usize,
    table: String,
}

impl Default for Screen {
    fn default() -> Self {
        Self {
            terminal: stdout().is_terminal(),
            drawn: 0,
            table: String::new(),
        }
    }
}

impl Screen {
    pub(crate) fn log(&mut self, line: &str) {
        self.erase();
        println!("{line}");
        self.show();
    }

    pub(crate) fn draw(&mut self, sessions: &Sessions, now: Instant) {
        if self.terminal {
            self.erase();
            self.table = table(sessions, now);
            self.show();
        }
    }

    fn erase(&mut self) {
        if self.drawn > 0 {
            // Up so many lines, and clear what is below.
            print!("\x1b[{}A\x1b[J", self.drawn);
            self.drawn = 0;
        }
    }

    fn show(&mut self) {
        if self.terminal {
            print!("{}", self.table);
            self.drawn = self.table.lines().count();
        }
        // Whoever reads a pipe that is closed has read enough.
        let _ = stdout().flush();
    }
}

/// Who is there, as text.
pub(crate) fn table(sessions: &Sessions, now: Instant) -> String {
    if sessions.is_empty() {
        return "Nobody publishes and nobody plays.\n".to_owned();
    }
    let mut text = format!(
        "{:<16} {:<12} {:>8}  {:<12} {:>9} {:>7} {:>8}  {}\n",
        "ROOM", "WHO", "TIME", "CODECS", "PACKETS", "LOST", "REPAIRED", "CLIENT"
    );
    let mut rows: Vec<_> = sessions.values().collect();
    rows.sort_by_key(|session| {
        let plays = matches!(session.part, Part::Player(_));
        (&session.room, plays, session.number)
    });
    for session in rows {
        text += &row(session, now);
    }
    text
}

fn row(session: &Session, now: Instant) -> String {
    let stats = session.connection.stats(now);
    let (who, codecs, [packets, lost, repaired]) = match &session.part {
        Part::Publisher(_) => {
            let tracks = &stats.receiving;
            let named = tracks.iter().filter_map(|track| track.codec.as_ref());
            let codecs: Vec<_> = named.map(|codec| codec.name.as_str()).collect();
            let packets = tracks.iter().map(|track| track.stream.packets).sum::<u64>();
            let lost = tracks
                .iter()
                .map(|track| track.stream.lost.max(0))
                .sum::<i64>();
            let repaired = tracks.iter().map(|track| track.recovered).sum::<u64>();
            let figures = [packets, lost.unsigned_abs(), repaired];
            ("publisher", codecs.join(" "), figures)
        }
        Part::Player(_) => {
            let tracks = &stats.sending;
            let codecs: Vec<_> = tracks
                .iter()
                .map(|track| track.codec.name.as_str())
                .collect();
            let packets = tracks.iter().map(|track| track.stream.packets).sum::<u64>();
            let lost = tracks.iter().map(|track| track.stream.remote_lost.max(0));
            let lost = lost.map(i32::unsigned_abs).map(u64::from).sum::<u64>();
            let repaired = tracks.iter().map(repeated).sum::<u64>();
            ("player", codecs.join(" "), [packets, lost, repaired])
        }
    };
    let time = match session.connected {
        Some(since) => {
            let seconds = now.saturating_duration_since(since).as_secs();
            format!("{}:{:02}", seconds / 60, seconds % 60)
        }
        None => "joins".to_owned(),
    };
    let who = format!("{who} {}", session.number);
    let (room, agent) = (&session.room, &session.agent);
    format!(
        "{room:<16} {who:<12} {time:>8}  {codecs:<12} {packets:>9} {lost:>7} {repaired:>8}  {agent}\n"
    )
}

fn repeated(track: &SendTrackStats) -> u64 {
    let apart = track.rtx.as_ref().map_or(0, |rtx| rtx.packets);
    track.stream.retransmitted + apart
}
