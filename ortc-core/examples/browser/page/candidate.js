// Candidates: the browser's objects and the draft's descriptions.

/** A candidate of the browser as the draft describes it; nothing for what it does not have. */
export function describeCandidate(candidate, dtls) {
  // "candidate:foundation component transport priority address port typ type [raddr a rport p]"
  const [foundation, component, transport, priority, address, port, , type, ...rest] =
    candidate.candidate.replace(/^(a=)?candidate:/, "").split(" ");
  if (component !== "1" || transport.toLowerCase() !== "udp") return undefined;
  const after = (name) => {
    const at = rest.indexOf(name);
    return at < 0 ? undefined : rest[at + 1];
  };
  const description = {
    foundation,
    component: 1,
    transport: "udp",
    priority: Number(priority),
    connectionAddress: address,
    connectionPort: Number(port),
    type,
  };
  if (after("raddr")) {
    description.relAddress = after("raddr");
    description.relPort = Number(after("rport"));
  }
  return { ...description, dtls };
}

/** A candidate as the browser's statistics have it. */
export function describeStats({ foundation, protocol, priority, address, port, candidateType }) {
  return {
    foundation,
    component: 1,
    transport: protocol,
    priority,
    connectionAddress: address,
    connectionPort: port,
    type: candidateType,
  };
}

/** What `addIceCandidate` wants of a description. */
export function toBrowserCandidate(description, mid) {
  const { foundation, component, transport, priority, connectionAddress, connectionPort, type } = description;
  const related = description.relAddress ? ` raddr ${description.relAddress} rport ${description.relPort}` : "";
  const line = [foundation, component, transport, priority, connectionAddress, connectionPort, "typ", type].join(" ");
  return { candidate: `candidate:${line}${related}`, sdpMid: mid };
}

/** The draft's server object as `RTCPeerConnection` wants it: a user may stand in the URI. */
export function toBrowserServer({ url, credential, username }) {
  const users = [];
  const urls = [url].flat().map((uri) => {
    const match = /^(turns?):([^@]+)@(.*)$/.exec(uri);
    if (!match) return uri;
    users.push(decodeURIComponent(match[2]));
    return `${match[1]}:${match[3]}`;
  });
  const server = { urls };
  const user = username ?? users[0];
  if (user !== undefined) Object.assign(server, { username: user, credential });
  return server;
}
