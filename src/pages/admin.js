// The admin page: run a program, look at past runs.
import {ask, currentKey, runProgram} from "./client.js";
import {byId, make, problemBox} from "./dom.js";
import {buildHistory, markRun, refreshHistory} from "./history.js";
import {liveView, recordView, refusalView} from "./record.js";
import {buildForm, clearErrors, placeError, readRequest} from "./request.js";

let running = null; // the AbortController of the run under way

function announce(text) {
	byId("announcement").textContent = text;
}

function show(elements) {
	byId("outcome").replaceChildren(...elements);
}

/** On a narrow screen the result lies elsewhere: bring it into view. */
function reveal() {
	const result = byId("result"), {top} = result.getBoundingClientRect();
	if (top > window.innerHeight * 0.75 || top < 0)
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

function showRecord(record, request) {
	show(recordView(record, request));
	markRun(record.id);
}

function showRefusal(error, request, wasCancelled) {
	if (wasCancelled) {
		show(refusalView("Cancelled", ["The connection was closed, which ends the run."], request));
	} else if (error.status) {
		const wait = error.wait ? [`Try again in ${error.wait} s.`] : [];
		show(refusalView(`Refused with status ${error.status}`, [error.message, ...wait], request));
		if (placeError(error.message)) {
			announce(error.message);
			return;
		}
	} else if (error.title) {
		show(refusalView(error.title, [error.message], request));
	} else {
		show(refusalView("The server cannot be reached", [`No answer came: ${error.message}. Is it still running?`], request));
	}
	announce(wasCancelled ? "Cancelled." : error.message);
	reveal();
}

async function run() {
	if (running)
		return;
	clearErrors();
	let request;
	try {
		request = {body: JSON.stringify(readRequest()), hasKey: currentKey() !== ""};
	} catch (error) {
		placeError(error.message, error.field);
		announce(error.message);
		return;
	}
	const {signal} = running = new AbortController();
	const stopClock = startClock();
	const live = liveView();
	announce("Running.");
	show(live.elements);
	markRun(null);
	try {
		const record = await runProgram(request.body, signal, live.hear);
		showRecord(record, request);
		announce(`The run ${record.status}, exit code ${record.exit_code}.`);
		reveal();
		await refreshHistory();
		markRun(record.id);
	} catch (error) {
		showRefusal(error, request, signal.aborted);
	} finally {
		running = null;
		stopClock();
	}
}

async function openRun(id) {
	if (running)
		return;
	try {
		showRecord(await ask("GET", `/v1/runs/${id}`), null);
		announce(`Run ${id} is shown.`);
		reveal();
	} catch (error) {
		showRefusal(error, null, false);
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
	try {
		buildForm(await ask("GET", "/openapi.json"), refreshHistory);
		buildHistory(openRun);
		listen();
		byId("workbench").hidden = false;
		refreshHistory();
	} catch (error) {
		byId("problem").replaceChildren(problemBox("The service's description could not be loaded", [{message: error.message}]),
			make("p", {}, make("a", {href: "/", text: "Try again"})));
	}
}

open();
