// A real use of the client that is generated from the description, whose types it is checked against: node use.js BASE_URL TOKEN
import {client} from "./client/client.gen";
import {createRun, health, listRuns, readRun, runCode, uploadFile, type Run, type RunRequest} from "./client";

declare const process: {argv: string[]};

/** The data of an answer; what was refused is an error here. */
async function good<T>(answer: Promise<{data?: T; error?: unknown}>): Promise<T> {
	const {data, error} = await answer;
	if (data === undefined)
		throw new Error(JSON.stringify(error));
	return data;
}

async function main(baseUrl: string, token: string): Promise<object> {
	client.setConfig({baseUrl, auth: token});
	const {status, queue_depth} = await good(health());
	const file = await good(uploadFile({body: {file: new File(["1,2,3"], "in.csv")}}));
	const request: RunRequest = {
		language: "python",
		code: "import sys\nprint(open('inputs/in.csv').read(), sys.argv[2], sys.stdin.read())\nopen('outputs/out.txt', 'w').write('made')",
		args: ["one"], stdin: "two", files: [{id: file.id, path: file.name}], limits: {timeout_ms: 9000, memory_mb: 128},
	};
	const run = await good(createRun({body: request})) as Run;
	const again = await good(readRun({path: {id: run.id}}));
	const {runs, next} = await good(listRuns({query: {limit: 5}}));
	const {output} = await good(runCode({body: {sessionId: "generated", code: "echo from bash"}})) as {output: string};
	const artifact = await (await fetch(run.artifacts[0].url)).text();
	const refused = await createRun({body: {...request, limits: {memory_mb: 100000}}});
	return {
		health: [status, queue_depth], run: [run.status, run.exit_code, run.stdout, run.limits.timeout_ms], same: again.code_sha256 === run.code_sha256,
		listed: runs.map(({id}) => id).includes(run.id), next, output, artifact, refused: [refused.response.status, refused.error],
	};
}

main(process.argv[2], process.argv[3]).then((result) => console.log(JSON.stringify(result)));
