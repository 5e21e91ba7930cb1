// The ways of one answer that goes on, and sockets. Each ends with its connection.

/** Comes back by itself, with what it saw last; but a browser may also give up for good. */
const eventSource = (card) => new Promise((ended) => {
  const source = new EventSource(`${ONE}/t/${TOPIC}?via=sse&since=${card.position}`);
  for (const type of ["message", "gap", "goodbye", "heartbeat"]) {
    source.addEventListener(type, (event) => card.event(JSON.parse(event.data)));
  }
  source.addEventListener("ready", () => {
    card.live();
    window.dispatchEvent(new Event("serverback"));
  });
  source.onerror = () => {
    card.away("the stream broke");
    if (source.readyState === EventSource.CLOSED) ended();
  };
});

/** Hears each line of JSON in `text`, and gives back the rest. */
function lines(card, text) {
  const whole = text.split("\n");
  const rest = whole.pop();
  for (const line of whole) if (line.trim()) card.event(JSON.parse(line));
  return rest;
}

/** An answer that grows, and ends before it fills the page's memory. */
const xhrStreaming = (card) => new Promise((ended) => {
  const request = new XMLHttpRequest();
  let read = 0;
  request.open("GET", `${ONE}/t/${TOPIC}?via=xhr&bytes=20000&since=${card.position}`);
  request.onprogress = request.onloadend = (event) => {
    if (request.status === 200) {
      card.live();
      const text = request.responseText;
      read = text.length - lines(card, text.slice(read)).length;
    }
    if (event.type === "loadend") ended();
  };
  request.send();
});

async function* pieces(url) {
  const response = await get(url);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    yield { value, response };
  }
}

async function ndjson(card) {
  let rest = "";
  for await (const { value } of pieces(`${ONE}/t/${TOPIC}?via=ndjson&since=${card.position}`)) {
    card.live();
    rest = lines(card, rest + value);
  }
}

/** Every part, by a program. A picture that nothing follows comes once more: a browser shows a part only with the next. */
async function multipart(card) {
  let rest = "";
  for await (const { value, response } of pieces(`${TWO}/t/${TOPIC}?via=multipart&since=${card.position}`)) {
    card.live();
    const boundary = /boundary=(\S+)/.exec(response.headers.get("Content-Type"))[1];
    const parts = (rest + value).split(`--${boundary}\r\n`);
    rest = parts.pop();
    for (const part of parts) {
      const position = /^Tidings-Position: (\S+)\r$/im.exec(part)?.[1];
      if (/^Tidings-Gap:/im.test(part)) card.faults.push(part);
      if (position && position !== card.position) card.hear(part.slice(part.indexOf("\r\n\r\n")), position);
    }
  }
}

/** A socket that `hear`s each frame. It is dead when it closes. */
const socket = (path, protocols, hear) => new Promise((ended) => {
  const socket = new WebSocket(`ws://${location.host}${path}`, protocols);
  socket.onmessage = ({ data }) => hear(JSON.parse(data), (command) => socket.send(JSON.stringify(command)));
  socket.onclose = ended;
});

const topicSocket = (card) => socket(`/t/${TOPIC}?since=${card.position}`, [], (frame) => {
  card.live();
  card.event(frame);
});

const manyTopicsSocket = (card) => socket("/ws", ["tidings.v1"], (frame, say) => {
  if (frame.type === "ready") say({ do: "subscribe", id: 1, sub: "all", topics: [TOPIC], since: card.position });
  else if (frame.id === 1) frame.ok ? card.live() : card.faults.push(JSON.stringify(frame));
  else if (frame.event) card.event(frame.event);
});
