//! SDP as far as WHIP and WHEP need it (RFC 8866, RFC 8839, RFC 8840): lines to attributes and back.
//!
//! A parser of its own because it is smaller than what would be around a crate: those that give
//! attributes as text would leave all that `offer.rs` does, and those that give them as types are
//! under other licences or not kept up.

use core::fmt;

use ortc_core::RTCIceCandidateDescription;

/// A whole description, or the fragment of one that trickles candidates.
#[derive(Debug, Default)]
pub(crate) struct Description {
    attributes: Vec<Attribute>,
    pub(crate) media: Vec<Media>,
}

/// An `m=` line with what follows it.
#[derive(Debug)]
pub(crate) struct Media {
    pub(crate) kind: String,
    pub(crate) port: u16,
    pub(crate) protocol: String,
    pub(crate) formats: Vec<String>,
    attributes: Vec<Attribute>,
}

/// `a=name:value`, or `a=name`.
#[derive(Debug)]
struct Attribute {
    name: String,
    value: String,
}

/// What is wrong with a text that should be SDP.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SdpError {
    line: usize,
    what: &'static str,
}

impl fmt::Display for SdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line {} of the SDP {}.", self.line, self.what)
    }
}

impl Description {
    /// Reads an offer.
    pub(crate) fn parse(text: &str) -> Result<Self, SdpError> {
        if !text.starts_with("v=0") {
            return Err(SdpError {
                line: 1,
                what: "is not v=0",
            });
        }
        Self::parse_fragment(text)
    }

    /// Reads a fragment, which has attributes and media sections only (RFC 8840 §9).
    pub(crate) fn parse_fragment(text: &str) -> Result<Self, SdpError> {
        let mut description = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let wrong = |what| SdpError { line: number, what };
            let line = line.trim_end();
            match line.split_once('=') {
                Some(("a", attribute)) => {
                    let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
                    let section = description.media.last_mut();
                    let attributes = section.map_or(&mut description.attributes, |section| {
                        &mut section.attributes
                    });
                    attributes.push(Attribute {
                        name: name.to_owned(),
                        value: value.to_owned(),
                    });
                }
                Some(("m", media)) => {
                    let media = Media::parse(media)
                        .ok_or_else(|| wrong("should be m=kind port protocol formats"))?;
                    description.media.push(media);
                }
                Some((kind, _)) if kind.len() == 1 => {}
                None if line.is_empty() => {}
                Some(_) | None => return Err(wrong("should be one letter, = and a value")),
            }
        }
        Ok(description)
    }

    /// The value of an attribute of the whole session.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        values(&self.attributes, name).next()
    }

    /// The value of an attribute that a section has, or the whole session for all of them.
    pub(crate) fn of_section<'a>(&'a self, section: &'a Media, name: &str) -> Option<&'a str> {
        section.attribute(name).or_else(|| self.attribute(name))
    }

    /// The value of an attribute of the whole session, or of the first section that has it.
    pub(crate) fn anywhere(&self, name: &str) -> Option<&str> {
        let sections = self.media.iter();
        self.attribute(name).or_else(|| {
            sections
                .filter_map(|section| section.attribute(name))
                .next()
        })
    }

    /// The candidates of all sections that can be read: others are passed over, as both protocols
    /// ask.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = RTCIceCandidateDescription> {
        let sections = self.media.iter().map(|section| &section.attributes);
        sections
            .chain([&self.attributes])
            .flat_map(|attributes| values(attributes, "candidate"))
            .filter_map(parse_candidate)
    }
}

impl Media {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace().map(str::to_owned);
        let kind = words.next()?;
        // The number of ports behind a slash belongs to other uses of SDP.
        let port = words.next()?.split('/').next()?.parse().ok()?;
        let protocol = words.next()?;
        Some(Self {
            kind,
            port,
            protocol,
            formats: words.collect(),
            attributes: Vec::new(),
        })
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(crate) fn all<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        values(&self.attributes, name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// The values of an attribute that begin with this format.
    pub(crate) fn of_format<'a>(
        &'a self,
        name: &'a str,
        format: &'a str,
    ) -> impl Iterator<Item = &'a str> {
        let pairs = self.all(name).filter_map(|value| value.split_once(' '));
        pairs.filter_map(move |(of, value)| (of == format).then_some(value))
    }
}

fn values<'a, 'n>(
    attributes: &'a [Attribute],
    name: &'n str,
) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
    let named = attributes.iter().filter(move |known| known.name == name);
    named.map(|attribute| attribute.value.as_str())
}

/// A candidate of component 1 (RFC 8839 §5.1).
fn parse_candidate(text: &str) -> Option<RTCIceCandidateDescription> {
    let mut words = text.split_ascii_whitespace();
    let foundation = words.next()?.to_owned();
    let component: u16 = words.next()?.parse().ok()?;
    let transport = words.next()?.to_ascii_lowercase();
    let priority = words.next()?.parse().ok()?;
    let connection_address = words.next()?.to_owned();
    let connection_port = words.next()?.parse().ok()?;
    let _typ = words.next().filter(|word| *word == "typ")?;
    let mut candidate = RTCIceCandidateDescription {
        foundation,
        component,
        transport,
        tcp_type: None,
        priority,
        connection_address,
        connection_port,
        kind: words.next()?.to_owned(),
        rel_address: None,
        rel_port: None,
        dtls: None,
    };
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        match name {
            "raddr" => candidate.rel_address = Some(value.to_owned()),
            "rport" => candidate.rel_port = value.parse().ok(),
            "tcptype" => candidate.tcp_type = Some(value.to_owned()),
            _ => {}
        }
    }
    (component == 1).then_some(candidate)
}

/// The value of `a=candidate`.
pub(crate) fn candidate(candidate: &RTCIceCandidateDescription) -> String {
    let RTCIceCandidateDescription {
        foundation,
        component,
        transport,
        priority,
        connection_address,
        connection_port,
        kind,
        ..
    } = candidate;
    let mut text = format!(
        "{foundation} {component} {transport} {priority} {connection_address} {connection_port} typ {kind}"
    );
    if let (Some(address), Some(port)) = (&candidate.rel_address, candidate.rel_port) {
        text += &format!(" raddr {address} rport {port}");
    }
    if let Some(kind) = &candidate.tcp_type {
        text += &format!(" tcptype {kind}");
    }
    text
}

/// SDP that is being written, with the line ends that RFC 8866 §5 asks for.
#[derive(Default)]
pub(crate) struct Lines(String);

impl Lines {
    pub(crate) fn line(&mut self, line: impl fmt::Display) {
        self.0 += &format!("{line}\r\n");
    }

    pub(crate) fn attribute(&mut self, name: &str, value: impl fmt::Display) {
        self.line(format_args!("a={name}:{value}"));
    }

    pub(crate) fn flag(&mut self, name: &str) {
        self.line(format_args!("a={name}"));
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}
