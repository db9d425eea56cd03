// SDP never leaves the page: this file reads the browser's own offer, and writes the answer that a
// peer without SDP would have given.

const MID = "urn:ietf:params:rtp-hdrext:sdes:mid";
const NOT_MEDIA = new Set(["rtx", "red", "ulpfec", "flexfec-03", "cn", "telephone-event"]);
const FEEDBACK = ["nack", "nack pli", "ccm fir"];
// The draft's names for what SDP calls otherwise.
const DRAFT_NAMES = { pcma: "alaw", pcmu: "ulaw", "telephone-event": "dtmf" };

/** The lines of a section that begin with `a=name:`, without that beginning. */
function values(lines, name) {
  const start = `a=${name}:`;
  return lines.filter((line) => line.startsWith(start)).map((line) => line.slice(start.length));
}

function parameters(text) {
  return text.split(";").filter((part) => part.trim() !== "").map((part) => {
    const at = part.indexOf("=");
    return at < 0
      ? { name: part.trim() }
      : { name: part.slice(0, at).trim(), value: part.slice(at + 1).trim() };
  });
}

function readCodecs(lines) {
  const payloadTypes = lines[0].split(" ").slice(3).map(Number);
  const formats = new Map(values(lines, "fmtp").map((value) => {
    const at = value.indexOf(" ");
    return [Number(value.slice(0, at)), parameters(value.slice(at + 1))];
  }));
  const feedback = new Map();
  for (const value of values(lines, "rtcp-fb")) {
    const at = value.indexOf(" ");
    const id = value.slice(0, at);
    feedback.set(id, [...(feedback.get(id) ?? []), value.slice(at + 1)]);
  }
  const named = new Map(values(lines, "rtpmap").map((value) => {
    const [id, rest] = value.split(" ");
    const [name, clockRate, channels] = rest.split("/");
    return [Number(id), { name, clockRate: Number(clockRate), channels: Number(channels) || undefined }];
  }));
  return payloadTypes.filter((id) => named.has(id)).map((id) => ({
    id,
    ...named.get(id),
    params: formats.get(id) ?? [],
    feedback: [...(feedback.get(String(id)) ?? []), ...(feedback.get("*") ?? [])],
  }));
}

function readSection(lines, session) {
  const value = (name) => values(lines, name)[0] ?? values(session, name)[0];
  const group = values(lines, "ssrc-group").find((line) => line.startsWith("FID "));
  const ssrcs = values(lines, "ssrc").map((line) => line.split(" ")[0]);
  const [ssrc, rtxSsrc] = group ? group.split(" ").slice(1) : [ssrcs[0]];
  const extensions = values(lines, "extmap").map((line) => {
    const [id, uri] = line.split(" ");
    return { id: Number(id.split("/")[0]), uri };
  });
  return {
    kind: lines[0].slice(2).split(" ")[0],
    mid: value("mid"),
    ufrag: value("ice-ufrag"),
    password: value("ice-pwd"),
    fingerprint: value("fingerprint"),
    direction: ["sendonly", "recvonly", "sendrecv", "inactive"].find((name) => lines.includes(`a=${name}`)),
    codecs: readCodecs(lines),
    extensions,
    ssrc,
    rtxSsrc,
  };
}

/** What an offer says, section by section. */
export function readOffer(sdp) {
  const parts = sdp.split(/^(?=m=)/m).map((part) => part.split(/\r?\n/).filter((line) => line !== ""));
  const [session, ...sections] = parts;
  return sections.map((lines) => readSection(lines, session));
}

/** A codec of the browser in the words of the draft. */
export function toDraftCodec(codec) {
  const lower = codec.name.toLowerCase();
  const draft = { "payload-id": codec.id, name: DRAFT_NAMES[lower] ?? lower, clockRate: codec.clockRate };
  if (codec.channels) draft.numChannels = codec.channels;
  if (codec.params.length > 0) draft.params = codec.params;
  return draft;
}

export function isMedia(codec) {
  return !NOT_MEDIA.has(codec.name.toLowerCase());
}

export function isDtmf(codec) {
  return codec.name.toLowerCase() === "telephone-event";
}

const param = (params, name) => (params ?? []).find((entry) => entry.name === name)?.value;

/** Whether a codec of the draft is this codec of the browser: payload types may differ. */
export function sameCodec(draft, codec) {
  const known = toDraftCodec(codec);
  const name = draft.name.toLowerCase();
  if ((DRAFT_NAMES[name] ?? name) !== known.name) return false;
  if (draft.clockRate && draft.clockRate !== codec.clockRate) return false;
  if (known.name !== "h264") return true;
  const mode = (params) => param(params, "packetization-mode") ?? "0";
  // Profile and constraints; the level is what one side can decode, not what the stream is.
  const profile = (params) => (param(params, "profile-level-id") ?? "42000a").slice(0, 4).toLowerCase();
  const wanted = param(draft.params, "profile-level-id");
  return mode(draft.params) === mode(codec.params)
    && (wanted === undefined || profile(draft.params) === profile(codec.params));
}

/** The payload type of the retransmissions of each payload type. */
export function rtxTable(section, mediaIds) {
  const table = {};
  for (const codec of section.codecs) {
    const media = Number(param(codec.params, "apt"));
    if (codec.name.toLowerCase() === "rtx" && mediaIds.includes(media)) table[media] = codec.id;
  }
  return table;
}

/**
 * The payload types of a peer for the codecs of a section, as its own tracks of the kind have them:
 * a browser receives what it sends. Nothing for a number that would mean two things.
 */
export function peerNumbers(section, codecs, descriptions) {
  const numbers = new Map();
  const repairs = rtxTable(section, codecs.map(({ id }) => id));
  for (const codec of codecs) {
    const like = descriptions.find((known) => known.codecs.some((draft) => sameCodec(draft, codec)));
    const theirs = like?.codecs.find((draft) => sameCodec(draft, codec))["payload-id"];
    if (theirs === undefined) continue;
    numbers.set(codec.id, theirs);
    const repair = like.rtx?.payloadIds[theirs];
    if (repair !== undefined && repairs[codec.id] !== undefined) numbers.set(repairs[codec.id], repair);
  }
  const taken = new Set(numbers.values());
  return { numbers, clear: (id) => numbers.has(id) || !taken.has(id) };
}

export function extensionIds(section) {
  return Object.fromEntries(section.extensions.map(({ id, uri }) => [uri, id]));
}

export function midHeader(section) {
  return { [MID]: section.mid };
}

/**
 * The answer that a peer would give to this offer.
 *
 * `peer` is what it is known by: `ice`, `fingerprint` as `[hash, value]`, `setup`, `lite`.
 * `choose(section)` says what becomes of each section: `{ direction, codecs, rtx, track, numbers }`,
 * or nothing to refuse it. `track` is the description of the track that the peer sends there;
 * `numbers` has the payload types that the peer receives where they are not those of the offer.
 */
export function writeAnswer(sections, peer, choose) {
  const chosen = sections.map((section) => ({ section, ...choose(section) }));
  const accepted = chosen.filter(({ codecs }) => codecs && codecs.length > 0);
  const out = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"];
  out.push(`a=group:BUNDLE ${accepted.map(({ section }) => section.mid).join(" ")}`);
  out.push("a=ice-options:trickle", "a=msid-semantic:WMS *");
  if (peer.lite) out.push("a=ice-lite");
  for (const { section, direction, codecs = [], rtx, track, numbers = new Map() } of chosen) {
    const number = (id) => numbers.get(id) ?? id;
    if (codecs.length === 0) {
      const id = section.codecs[0]?.id ?? 0;
      out.push(`m=${section.kind} 0 UDP/TLS/RTP/SAVPF ${id}`, "c=IN IP4 0.0.0.0", `a=mid:${section.mid}`, "a=inactive");
      continue;
    }
    const repairs = rtx ? rtxTable(section, codecs.map(({ id }) => id)) : {};
    const taken = new Set(numbers.values());
    for (const [media, id] of Object.entries(repairs)) if (!numbers.has(id) && taken.has(id)) delete repairs[media];
    const ids = codecs.flatMap(({ id }) => (repairs[id] ? [id, repairs[id]] : [id]));
    out.push(`m=${section.kind} 9 UDP/TLS/RTP/SAVPF ${ids.map(number).join(" ")}`, "c=IN IP4 0.0.0.0", `a=mid:${section.mid}`);
    out.push(`a=ice-ufrag:${peer.ice.usernameFrag}`, `a=ice-pwd:${peer.ice.password}`);
    out.push(`a=fingerprint:${peer.fingerprint.join(" ")}`, `a=setup:${peer.setup}`);
    out.push(`a=${direction}`, "a=rtcp-mux", "a=rtcp-rsize");
    const mid = section.extensions.find(({ uri }) => uri === MID);
    if (mid) out.push(`a=extmap:${mid.id} ${MID}`);
    for (const codec of codecs) {
      const channels = codec.channels ? `/${codec.channels}` : "";
      const id = number(codec.id);
      out.push(`a=rtpmap:${id} ${codec.name}/${codec.clockRate}${channels}`);
      if (codec.params.length > 0) {
        const text = codec.params.map(({ name, value }) => (value === undefined ? name : `${name}=${value}`)).join(";");
        out.push(`a=fmtp:${id} ${text}`);
      }
      for (const item of FEEDBACK) if (codec.feedback.includes(item)) out.push(`a=rtcp-fb:${id} ${item}`);
      if (repairs[codec.id]) {
        const repair = number(repairs[codec.id]);
        out.push(`a=rtpmap:${repair} rtx/${codec.clockRate}`, `a=fmtp:${repair} apt=${id}`);
      }
    }
    if (track) {
      const [stream = "-"] = track.msid ?? [];
      out.push(`a=msid:${stream} ${track.ssrc}`);
      const ssrcs = [track.ssrc];
      if (track.rtx) {
        out.push(`a=ssrc-group:FID ${track.ssrc} ${track.rtx.ssrc}`);
        ssrcs.push(track.rtx.ssrc);
      }
      for (const ssrc of ssrcs) out.push(`a=ssrc:${ssrc} cname:ortc`, `a=ssrc:${ssrc} msid:${stream} ${track.ssrc}`);
    }
  }
  return `${out.join("\r\n")}\r\n`;
}
