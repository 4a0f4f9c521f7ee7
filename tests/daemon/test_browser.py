"""A page from elsewhere, in a real browser that runs beside the daemon: it reads nothing and changes nothing.

The page even knows the token. What protects is that the browser says where a request comes from, and that it hands
no page an answer without CORS headers.
"""

import asyncio
import base64
import json
import logging
import os
import shutil
import signal
import subprocess
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-port=0",
)  # fmt: skip
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PAGE = """<!doctype html><meta charset="utf-8"><body><script>
const {base, token, media, sandboxed} = PLAN;
const call = method => JSON.stringify({jsonrpc: "2.0", id: 1, method, params: method == "images.generate" ? {prompt: "hills"} : {}});
const report = {};
const patience = ms => new Promise(done => setTimeout(() => done("nothing within " + ms + " ms"), ms));
const text = async answer => ({read: (await answer.text()).length, status: answer.status});
const post = (method, headers, more) => fetch(base + "/rpc", {method: "POST", body: call(method), headers, ...more}).then(text);
const loads = (kind, path, more = {}) => new Promise(done => {
  const one = Object.assign(document.createElement(kind), more);
  one.onload = () => done({loaded: kind == "iframe" ? "?" : true, width: one.naturalWidth || 0});
  one.onerror = () => done({loaded: false});
  one[kind == "link" ? "href" : kind == "object" ? "data" : "src"] = base + path;
  document.body.append(one);
});
const attacks = {
  fetch_health: () => fetch(base + "/health").then(text),
  fetch_media: () => fetch(base + media).then(text),
  fetch_media_with_token: () => fetch(base + media, {headers: {Authorization: "Bearer " + token}}).then(text),
  fetch_with_cookies: () => fetch(base + "/health", {credentials: "include"}).then(text),
  post_simple: () => post("images.generate", {"Content-Type": "text/plain"}),
  post_preflighted: () => post("images.generate", {"Content-Type": "application/json", Authorization: "Bearer " + token}),
  post_no_cors: () => post("queue.pause", {"Content-Type": "text/plain"}, {mode: "no-cors"}),
  post_no_cors_json: () => post("queue.pause", {"Content-Type": "application/json"}, {mode: "no-cors"}),
  post_keepalive: () => post("system.shutdown", {"Content-Type": "text/plain"}, {mode: "no-cors", keepalive: true}),
  same_origin_mode: () => post("queue.pause", {}, {mode: "same-origin"}),
  put: () => fetch(base + "/rpc", {method: "PUT", body: "{}"}).then(text),
  beacon: async () => ({sent: navigator.sendBeacon(base + "/rpc", new Blob([call("system.shutdown")], {type: "text/plain"}))}),
  image: () => loads("img", media),
  image_with_token: () => loads("img", media + "?token=" + token),
  script: () => loads("script", "/health"),
  style: () => loads("link", "/health", {rel: "stylesheet"}),
  video: () => new Promise(done => {
    const one = document.createElement("video");
    one.onloadeddata = () => done({loaded: true});
    one.onerror = () => done({loaded: false});
    one.src = base + media;
  }),
  iframe: async () => {
    await loads("iframe", media, {name: "looked_into"});
    try { return {read: frames.looked_into.document.documentElement.outerHTML.length}; } catch (refused) { return {refused: refused.name}; }
  },
  form: () => new Promise(done => {
    const frame = Object.assign(document.createElement("iframe"), {name: "form_target"});
    const form = Object.assign(document.createElement("form"),
      {method: "post", action: base + "/rpc", enctype: "text/plain", target: "form_target"});
    form.append(Object.assign(document.createElement("input"), {name: call("images.generate").slice(0, -1) + ',"x":"', value: '"}'}));
    document.body.append(frame, form);
    frame.onload = () => { try { done({read: frame.contentDocument.body.innerText.length}); } catch (refused) { done({refused: refused.name}); } };
    form.submit();
  }),
  websocket: () => new Promise(done => {
    const seen = {opened: false, read: 0};
    const socket = new WebSocket(base.replace("http", "ws") + "/ws");
    socket.onopen = () => { seen.opened = true;
      socket.send(JSON.stringify({jsonrpc: "2.0", id: 1, method: "system.hello", params: {client: "x", version: "1", token}}));
      socket.send(call("queue.pause")); };
    socket.onmessage = message => { seen.read += message.data.length; };
    socket.onclose = () => done(seen);
  }),
  websocket_subprotocol: () => new Promise(done => {
    const socket = new WebSocket(base.replace("http", "ws") + "/ws", ["bearer", token]);
    socket.onopen = () => done({opened: true});
    socket.onclose = () => done({opened: false});
  }),
  event_source: () => new Promise(done => {
    const source = new EventSource(base + "/ws");
    source.onopen = () => done({opened: true});
    source.onmessage = message => done({read: message.data.length});
    source.onerror = () => { source.close(); done({opened: false}); };
  }),
  worker: () => new Promise(done => {
    const code = `fetch(${JSON.stringify(base + "/health")}).then(a => a.text()).then(t => postMessage({read: t.length}), e => postMessage({refused: e.name}))`;
    new Worker(URL.createObjectURL(new Blob([code]))).onmessage = message => done(message.data);
  }),
};
(async () => {
  for (const [name, attack] of Object.entries(attacks)) {
    try { report[name] = await Promise.race([attack(), patience(4000)]); }
    catch (refused) { report[name] = {refused: refused.name}; }
  }
  if (sandboxed) {
    await new Promise(done => {
      addEventListener("message", message => { report.sandboxed = message.data; done(); });
      const frame = document.createElement("iframe");
      frame.sandbox = "allow-scripts allow-forms";
      frame.src = sandboxed;
      document.body.append(frame);
    });
    await fetch("/report", {method: "POST", body: JSON.stringify(report)});
  } else parent.postMessage(report, "*");
})();
</script>"""


class Elsewhere:
    """A web server of somebody else's on this machine; it is also its own victim, to show that the page can attack."""

    def __init__(self, plan):
        self.plan = plan
        self.report = asyncio.get_running_loop().create_future()

    @asynccontextmanager
    async def running(self):
        app = web.Application()
        app.router.add_get("/page", self.page)
        app.router.add_get("/inner", self.page)
        app.router.add_post("/report", self.told)
        app.router.add_route("*", "/health", self.open)
        app.router.add_route("*", "/rpc", self.open)
        app.router.add_get("/media/{name}", self.picture)
        app.router.add_get("/ws", self.socket)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        yield
        await runner.cleanup()

    async def page(self, request):
        plan = {**self.plan, "base": self.plan["base"] or f"http://{request.host}"}
        plan["sandboxed"] = "/inner" if request.path == "/page" else None
        return web.Response(text=PAGE.replace("PLAN", json.dumps(plan)), content_type="text/html")

    async def told(self, request):
        if not self.report.done():
            self.report.set_result(await request.json())
        return web.Response(text="thanks")

    async def open(self, request):
        headers = {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Headers": "*",
            "Access-Control-Allow-Methods": "*",
        }
        return web.json_response({"ok": True}, headers=headers)

    async def picture(self, request):
        return web.Response(body=PIXEL, content_type="image/png", headers={"Access-Control-Allow-Origin": "*"})

    async def socket(self, request):
        socket = web.WebSocketResponse()
        if not socket.can_prepare(request).ok:
            raise web.HTTPForbidden
        await socket.prepare(request)
        await socket.send_str("welcome")
        await socket.close()
        return socket


@asynccontextmanager
async def browsing(url, profile):
    """Chromium at a page, with a profile of its own; it and all it started end with the context."""
    home = {**os.environ, "HOME": str(profile)}
    with (profile / "log").open("wb") as log:
        command = [shutil.which("chromium"), *FLAGS, f"--user-data-dir={profile / 'data'}", url]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=home, start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


async def attack(plan, origin, profile):
    """What a page of that origin could do."""
    profile.mkdir()
    elsewhere = Elsewhere(plan)
    async with elsewhere.running(), browsing(f"http://{origin}:{elsewhere.port}/page", profile):
        return await asyncio.wait_for(elsewhere.report, 150)


def gained(report):
    """The attacks that read or opened something."""
    return {
        name: result
        for name, result in report.items()
        if name != "sandboxed"
        and isinstance(result, dict)
        and (result.get("read") or result.get("opened") or result.get("loaded") is True or result.get("width"))
    }


pytestmark = [pytest.mark.heavy, pytest.mark.needs("chromium"), pytest.mark.timeout(240)]


async def test_the_page_gets_everything_from_a_careless_server(tmp_path):
    plan = {"base": "", "token": "t", "media": "/media/ast_1"}
    report = await attack(plan, "127.0.0.1", tmp_path / "profile")
    assert {"fetch_health", "fetch_media", "post_simple", "image", "websocket", "worker", "iframe"} <= set(
        gained(report)
    )
    assert {"fetch_health", "image"} <= set(gained(report["sandboxed"]))


@pytest.mark.parametrize("origin", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("target", ["127.0.0.1", "localhost"])
async def test_a_page_from_elsewhere_reads_and_changes_nothing(daemon, tmp_path, caplog, origin, target):
    caplog.set_level(logging.DEBUG, "tendred.rpc.http")
    job = await daemon.still("hills")
    await daemon.eventually_search("hills")
    base = daemon.url.replace("127.0.0.1", target)
    plan = {"base": base, "token": daemon.token, "media": f"/media/{job.asset_ids[0]}"}
    before = await daemon.studio.last_seq()
    report = await attack(plan, origin, tmp_path / "profile")
    assert gained(report) == {}
    assert gained(report["sandboxed"]) == {}
    assert len(report) > 20
    # They did arrive, and each was turned away.
    answers = [record.getMessage() for record in caplog.records if " answered with " in record.getMessage()]
    statuses = {answer.split(" answered with ")[1].split()[0] for answer in answers}
    assert len(answers) > 15
    assert statuses == {"403"}
    # Nothing happened here: no job, no pause, no end.
    assert await daemon.studio.last_seq() == before
    assert not daemon.daemon.finished.is_set()
    assert (await daemon.studio.queue_status()).paused is False
    jobs = await daemon.studio.jobs(state=None, kind=None, limit=10, cursor=None)
    assert [one.id for one in jobs.jobs] == [job.id]
