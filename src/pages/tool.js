// A tool's page: its form, the run, its result.
import {byId, fetchTools, formatSeconds, make, problemBox, toolPath} from "./dom.js";
import {buildForm} from "./form.js";
import {renderFailure, renderRefusal, renderRun} from "./result.js";

const EXECUTE = "/tools/execute";

const toolName = decodeURIComponent(location.pathname.split("/").pop()).replaceAll("-", "_");
let form = null;
let running = null; // the AbortController of the run under way

function announce(text) {
	byId("announcement").textContent = text;
}

function show(elements) {
	byId("outcome").replaceChildren(...elements);
}

/** On a narrow screen the result lies below the form: bring it into view. */
function reveal() {
	const result = byId("result");
	if (result.getBoundingClientRect().top > window.innerHeight * 0.75)
		result.scrollIntoView({behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth"});
}

/** Switches the page between running and idle. Returns what ends it. */
function startClock() {
	const started = performance.now();
	const tick = () => { byId("seconds").textContent = `${((performance.now() - started) / 1000).toFixed(1)} s`; };
	const timer = setInterval(tick, 100);
	tick();
	byId("run").setAttribute("aria-disabled", "true");
	byId("result").setAttribute("aria-busy", "true");
	byId("cancel").hidden = byId("elapsed").hidden = false;
	byId("hint").hidden = true;
	return () => {
		clearInterval(timer);
		if (document.activeElement === byId("cancel"))
			byId("run").focus();
		byId("run").removeAttribute("aria-disabled");
		byId("result").removeAttribute("aria-busy");
		byId("cancel").hidden = byId("elapsed").hidden = true;
		byId("hint").hidden = false;
	};
}

async function send(request, signal) {
	const started = performance.now();
	const reply = await fetch(request.path, {method: "POST", headers: {"Content-Type": "application/json"}, body: request.body, signal});
	const text = await reply.text();
	let value;
	try {
		value = JSON.parse(text);
	} catch {
		value = undefined;
	}
	return {status: reply.status, statusText: reply.statusText, retryAfter: reply.headers.get("Retry-After"), text, value,
		milliseconds: performance.now() - started};
}

function showReply(request, reply) {
	if (reply.status === 200 && typeof reply.value?.exitCode === "number") {
		show(renderRun(request, reply));
		announce(`Finished with exit code ${reply.value.exitCode} in ${formatSeconds(reply.milliseconds)}.`);
		reveal();
		return;
	}
	const refusal = renderRefusal(request, reply);
	show(refusal.elements);
	const known = refusal.fields.filter(({field, message}) => form.setError(field, message));
	announce(`The request was refused with status ${reply.status}.`);
	if (known.length > 0)
		form.focus(known[0].field);
	else
		reveal();
}

function showFailure(request, error, wasCancelled) {
	const title = wasCancelled ? "Cancelled" : "The server cannot be reached";
	show(renderFailure(request, title, wasCancelled ? "The connection was closed, which ends the job."
		: `No answer came: ${error.message}. Is it still running?`));
	announce(`${title}.`);
	reveal();
}

async function run() {
	if (running)
		return;
	running = new AbortController();
	form.clearErrors();
	const stopClock = startClock();
	announce("Running.");
	let request = null;
	try {
		request = {path: EXECUTE, body: JSON.stringify({tool: toolName, ...await form.read()})};
		showReply(request, await send(request, running.signal));
	} catch (error) {
		if (error.field) {
			form.setError(error.field, error.message);
			form.focus(error.field);
			announce("The request could not be made.");
		} else {
			showFailure(request, error, running.signal.aborted);
		}
	} finally {
		running = null;
		stopClock();
	}
}

function listen() {
	byId("form").addEventListener("submit", (event) => {
		event.preventDefault();
		run();
	});
	byId("cancel").addEventListener("click", () => running?.abort());
	document.addEventListener("keydown", (event) => {
		if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.repeat) {
			event.preventDefault();
			run();
		}
	});
}

async function open() {
	byId("crumb").textContent = byId("title").textContent = toolName;
	document.title = `${toolName} · mayfly`;
	try {
		const tools = await fetchTools();
		const tool = tools[toolName];
		if (!tool) {
			byId("problem").replaceChildren(problemBox(`GET /tools does not offer ${toolName}`, Object.keys(tools).map((name) => ({message: `${name}: ${toolPath(name)}`}))));
			return;
		}
		byId("description").textContent = tool.description ?? "";
		form = buildForm(tool.parameters ?? {});
		listen();
		byId("workbench").hidden = false;
	} catch (error) {
		byId("problem").replaceChildren(problemBox("The tool could not be loaded", [{message: error.message}]),
			make("p", {}, make("a", {href: location.pathname, text: "Try again"})));
	}
}

open();
