// The runs of the key, the newest first.
import {ask} from "./client.js";
import {byId, formatSeconds, make} from "./dom.js";
import {formatTime, statusBadge} from "./record.js";

let next = null; // for older ones
let turn = 0; // of loading: an answer that comes late is not shown
let choose = () => {};

function row(run) {
	const artifacts = run.artifact_count ? `, ${run.artifact_count} ${run.artifact_count === 1 ? "artifact" : "artifacts"}` : "";
	return make("li", {}, make("button", {type: "button", class: "past", "data-run": run.id, on: {click: () => choose(run.id)}},
		statusBadge(run.status), make("span", {class: "past-what", text: `${run.language}, ${formatSeconds(run.usage.wall_ms)}${artifacts}`}),
		make("span", {class: "past-time", text: formatTime(run.created_at)})));
}

/** Marks the run that is shown. */
export function markRun(id) {
	for (const button of document.querySelectorAll("[data-run]"))
		button.setAttribute("aria-current", String(button.dataset.run === id));
}

function explain(error) {
	if (error.status === 401)
		return "With a key, its runs are listed here.";
	return error.status ? error.message : "The server cannot be reached.";
}

async function load(before) {
	const mine = ++turn;
	const list = byId("history-list"), note = byId("history-note");
	try {
		const page = await ask("GET", `/v1/runs?limit=20${before ? `&before=${before}` : ""}`);
		if (mine !== turn)
			return;
		const rows = page.runs.map(row);
		if (before)
			list.append(...rows);
		else
			list.replaceChildren(...rows);
		next = page.next;
		note.textContent = list.childElementCount ? "" : "There are none yet.";
	} catch (error) {
		if (mine !== turn)
			return;
		if (!before)
			list.replaceChildren();
		next = null;
		note.textContent = explain(error);
	}
	byId("history-more").hidden = next === null;
}

export function refreshHistory() {
	return load(null);
}

/** show(id) is called for the run that somebody chose. */
export function buildHistory(show) {
	choose = show;
	byId("history-refresh").addEventListener("click", refreshHistory);
	byId("history-more").addEventListener("click", () => load(next));
}
