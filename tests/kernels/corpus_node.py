"""What node is made to do, once as it is and once as a kernel; the same rules as corpus_python.py."""

CASES = {
    # --- what a script is told about itself ---------------------------------------------------------------------------
    "process": "console.log(process.argv, process.execArgv, process.execPath, process.argv0, process.title, process.pid, process.ppid, process.cwd(), process.exitCode);\n"
               "console.log(Object.keys(process), process.config.variables.node_use_openssl, process.features, process.umask(), process.getgroups());\n",
    "argv": {"source": "console.log(process.argv, process.execArgv);\n", "argv": ["--stack-trace-limit=2", "script.js", "two words", "é", "", "-x", "--", "--require"]},
    "environment": "console.log(process.env, Object.keys(process.env), 'NODE_OPTIONS' in process.env, process.env.MAYFLY_GO);\n",
    "module": "console.log(module, require.main === module, module.children, module.parent, module.paths, __filename, __dirname, require.cache, Object.keys(require));\n"
              "console.log(arguments.length, typeof arguments[4], this === module.exports);\n",
    "module_class": "const M = require('module');\nconsole.log(Object.keys(M), Object.keys(M._cache), M._pathCache, M.globalPaths, Object.keys(M._extensions), M._preloadModules.length, M.builtinModules.length);\n"
                    "console.log(module.constructor === M, M.prototype, M._debug);\n",
    "loaded": "process._rawDebug(process.moduleLoadList.length, process.moduleLoadList.join('\\n'));\n",
    "globals": "console.log(Object.getOwnPropertyNames(globalThis).sort(), Object.keys(globalThis), Reflect.ownKeys(process).sort());\n",
    "handles": "process._rawDebug(process._getActiveHandles().length, process._getActiveRequests().length, process.getActiveResourcesInfo());\nconsole.log(process.eventNames(), process.listenerCount('exit'), process._events);\n",
    "async_ids": "const a = require('async_hooks');\nprocess._rawDebug(a.executionAsyncId(), a.triggerAsyncId(), new a.AsyncResource('x').asyncId());\nPromise.resolve().then(() => process._rawDebug(a.executionAsyncId()));\nsetImmediate(() => process._rawDebug(a.executionAsyncId()));\n",
    "buffer_pool": "const b = Buffer.from('abc');\nconsole.log(b.byteOffset, b.buffer.byteLength, Buffer.poolSize, Buffer.allocUnsafe(3).byteOffset);\n",
    "descriptors": "const fs = require('fs');\nfor (const fd of fs.readdirSync('/proc/self/fd').sort((a, b) => a - b)) {\n\ttry { process._rawDebug(fd, fs.readlinkSync('/proc/self/fd/' + fd).split(':[')[0], fs.readFileSync('/proc/self/fdinfo/' + fd, 'utf8').split('\\n').slice(0, 2)); }\n"
                   "\tcatch { process._rawDebug(fd, 'is the listing'); }\n}\nprocess._rawDebug(fs.openSync('.'), fs.openSync('.'));\nconsole.log(fs.readdirSync('/proc/self/task').length, fs.readFileSync('/proc/self/comm', 'utf8'));\n",
    "proc": "const fs = require('fs');\nconsole.log(fs.readFileSync('/proc/self/status', 'utf8').split('\\n').filter((l) => /^(Name|Umask|FDSize|Threads|Sig(Blk|Ign|Cgt)|Seccomp|NoNewPrivs|NStgid|CapEff)/.test(l)));\nconsole.log(fs.readFileSync('/proc/self/cmdline', 'utf8'), fs.readFileSync('/proc/self/limits', 'utf8'));\n",
    "heap": "const v8 = require('v8');\nconst s = v8.getHeapStatistics();\nconsole.log(s.number_of_native_contexts, s.number_of_detached_contexts, s.heap_size_limit, v8.cachedDataVersionTag());\n",
    "stack": "function f() { console.log(new Error('here').stack); console.trace('traced'); }\nf();\nsetImmediate(() => console.log(new Error('later').stack));\n",
    # --- ends ---------------------------------------------------------------------------------------------------------
    "throw_error": "function f() {\n\tthrow new TypeError('bad', { cause: new Error('why') });\n}\nconsole.log('before');\nf();\n",
    "throw_text": "console.log('before');\nthrow 'a text';\n",
    "throw_object": "throw { code: 'E_X', nested: { a: [1, 2] } };\n",
    "throw_null": "throw null;\n",
    "throw_later": "setTimeout(() => { throw new RangeError('later'); }, 1);\nprocess.on('exit', (c) => console.log('exit', c));\n",
    "reference": "console.log(missing);\n",
    "syntax_error": "console.log('never');\nfunction (\n",
    "syntax_error_sibling": {"source": "console.log('before');\nrequire('./sibling');\n", "files": {"sibling.js": b"let x = ;\n"}},
    "json_error": {"source": "require('./bad.json');\n", "files": {"bad.json": b"{"}},
    "missing_module": "require('./missing');\n",
    "missing_package": "require('left-pad');\n",
    "no_script": {"source": None},
    "empty": "",
    "exit_code": "process.exitCode = 3;\nprocess.on('beforeExit', (c) => console.log('before', c));\nprocess.on('exit', (c) => { console.log('exit', c); process.exitCode = 4; });\n",
    "exit_call": "process.on('exit', (c) => console.log('exit', c));\nprocess.exit(300);\n",
    "exit_negative": "process.exit(-1);\n",
    "exit_text": "process.exit('7');\n",
    "really_exit": "process.reallyExit(8);\n",
    "abort": "require('fs').writeSync(1, 'x');\nprocess.kill(process.pid, 'SIGABRT');\n",
    "rejection": "console.log('before');\nPromise.reject(new Error('unhandled'));\nsetTimeout(() => console.log('never'), 1000);\n",
    "rejection_text": "Promise.reject('a text');\n",
    "rejection_handled": "process.on('unhandledRejection', (e) => { console.log('caught', e.message); process.exitCode = 5; });\nPromise.reject(new Error('x'));\n",
    "uncaught_handler": "process.on('uncaughtException', (e, o) => console.log('caught', e.message, o));\nsetImmediate(() => console.log('on'));\nthrow new Error('x');\n",
    "warning": "process.emitWarning('careful', 'DeprecationWarning', 'DEP9');\nnew Buffer(1);\nprocess.on('warning', (w) => console.log(w.name, w.code));\n",
    "signal": "process.kill(process.pid, 'SIGTERM');\nsetTimeout(() => console.log('never'), 5000);\n",
    "signal_caught": "process.on('SIGTERM', (s, n) => { console.log('caught', s, n); process.exit(9); });\nprocess.kill(process.pid, 'SIGTERM');\nsetTimeout(() => {}, 5000);\n",
    "sigint": "process.kill(process.pid, 'SIGINT');\nsetTimeout(() => {}, 5000);\n",
    "recursion": "function f() { return f(); }\nf();\n",
    "await_never": {"source": b"console.log('x');\nawait new Promise(() => {});\n", "argv": ["script.mjs"]},
    # --- streams ------------------------------------------------------------------------------------------------------
    "streams": "for (const s of [process.stdin, process.stdout, process.stderr]) console.log(s.constructor.name, s.isTTY, s.fd, s.writable, s.readable, s._type);\nprocess.stdin.on('data', (d) => console.log('data', d)).on('end', () => console.log('end'));\n",
    "stdin_sync": "console.log(require('fs').readFileSync(0));\n",
    "bytes": "process.stdout.write(Buffer.from([0xff, 0xfe, 0, 0x80]));\nprocess.stderr.write(Buffer.from([0xc3]));\nconsole.log('\\ud800 €');\n",
    "much": "for (let i = 0; i < 20000; i++) process.stdout.write(i + '\\n');\nprocess.stdout.write('x'.repeat(300000));\nprocess.exit(0);\n",
    "order": "setImmediate(() => console.log('immediate'));\nsetTimeout(() => console.log('timeout'), 20);\nprocess.nextTick(() => console.log('tick'));\nPromise.resolve().then(() => console.log('promise'));\nqueueMicrotask(() => console.log('micro'));\nconsole.error('error');\n",
    # --- modules ------------------------------------------------------------------------------------------------------
    "siblings": {"source": "console.log(require('./a'), require('./d'), require('./data.json'), Object.keys(require.cache), module.children.map((m) => m.id));\nconsole.log(require.resolve('p'), require('p'));\n",
                 "files": {"a.js": b"module.exports = [module.id, module.parent.id, require.main.filename];\n", "d/index.js": b"exports.d = __filename;\n", "data.json": b"[1]",
                           "node_modules/p/package.json": b'{"main": "m.js"}', "node_modules/p/m.js": b"module.exports = 'p';\n"}},
    "esm": {"source": b"import fs, { readFileSync } from 'fs';\nimport { x } from './a.mjs';\nimport c from './c.cjs';\nconsole.log(x, c, import.meta, typeof require, this, process.argv, fs.readFileSync === readFileSync);\n"
                      b"import { createRequire } from 'module';\nconst r = createRequire(import.meta.url);\nconsole.log(Object.keys(r.cache), r.main);\nthrow new Error('from a module');\n",
            "argv": ["script.mjs", "one"], "files": {"a.mjs": b"export const x = await Promise.resolve(import.meta.url);\n", "c.cjs": b"module.exports = [module.id, module.parent, Object.keys(require.cache)];\n"}},
    "esm_await": {"source": b"console.log(await import('./a.mjs'));\nconst t = await new Promise((r) => setTimeout(r, 2, 'late'));\nconsole.log(t);\nawait Promise.reject(new Error('awaited'));\n",
                  "argv": ["script.mjs"], "files": {"a.mjs": b"export default 1;\n"}},
    "esm_syntax": {"source": b"import { x } from './a.mjs';\n", "argv": ["script.mjs"], "files": {"a.mjs": b"export const y = 1;\n"}},
    "esm_missing": {"source": b"import './missing.mjs';\n", "argv": ["script.mjs"]},
    "esm_package": {"source": "import os from 'os';\nconsole.log(import.meta.url, typeof os.cpus, typeof module);\nexport {};\n", "files": {"package.json": b'{"type": "module"}'}},
    "esm_in_cjs": "import fs from 'fs';\nconsole.log(fs);\n",
    "dynamic_import": {"source": "import('./a.mjs').then((m) => console.log(m.default, m.u)).finally(() => console.log(Object.keys(require.cache)));\n", "files": {"a.mjs": b"export default 1; export const u = import.meta.url;\n"}},
    "run_text": {"source": None, "argv": ["-e", "console.log(process.argv, process.execArgv, __filename, module.paths, Object.keys(require.cache)); throw new Error('x')", "one"]},
    "run_print": {"source": None, "argv": ["-p", "[1, module.children, process.execArgv]"]},
    "run_stdin": {"source": None, "argv": ["-"]},
    "check": {"source": "let x = ;\n", "argv": ["--check", "script.js"]},
    # --- processes and threads ----------------------------------------------------------------------------------------
    "worker": "const { Worker, isMainThread, threadId, parentPort } = require('worker_threads');\nconst w = new Worker(`const t = require('worker_threads');\n"
              "t.parentPort.postMessage([t.threadId, process.argv, process.execArgv, process.env, Object.keys(require.cache), module.paths, require('module')._pathCache, process.moduleLoadList.length]);`, { eval: true });\n"
              "w.on('message', (m) => console.log(m));\nw.on('exit', (c) => console.log('exit', c));\n",
    "worker_file": {"source": "const { Worker, SHARE_ENV } = require('worker_threads');\nnew Worker('./w.js', { env: SHARE_ENV, workerData: 1 }).on('message', (m) => console.log(m)).on('error', (e) => console.log(e));\n",
                    "files": {"w.js": b"const t = require('worker_threads');\nt.parentPort.postMessage([module.children, module.parent, require.main === module, Object.keys(require.cache), process.env]);\nthrow new Error('in a worker');\n"}},
    "child": "const c = require('child_process');\nconst code = 'console.log(process.execArgv, process.env, Object.keys(require.cache), require(\"fs\").readdirSync(\"/proc/self/fd\"))';\n"
             "const r = c.spawnSync(process.execPath, ['-e', code]);\nconsole.log(r.status, r.signal, r.stdout.toString(), r.stderr.toString());\nconsole.log(c.execSync('env; ls /proc/self/fd').toString());\nc.exec('exit 3', (e) => console.log(e));\n",
    "fork": {"source": "const c = require('child_process').fork('./c.js', ['x']);\nc.on('message', (m) => { console.log(m); c.disconnect(); });\nc.on('exit', (...a) => console.log(a));\n",
             "files": {"c.js": b"process.send([process.argv, process.execArgv, process.env.NODE_CHANNEL_FD, Object.keys(require.cache)]);\n"}},
    "vm": "const vm = require('vm');\nconsole.log(vm.runInNewContext('typeof process + Object.keys(this)'), vm.runInThisContext('typeof require'));\n",
    "net": "const s = require('net').createServer((c) => c.end('hi')).listen(0, '127.0.0.1', () => require('net').connect(s.address().port).on('data', (d) => { console.log(d.toString()); s.close(); }));\n",
    "fs_async": "const fs = require('fs');\nfs.promises.readdir('.').then((n) => { console.log(n); return fs.promises.open('new', 'w'); }).then((f) => { console.log(f.fd); return f.close(); });\n",
    # --- files --------------------------------------------------------------------------------------------------------
    "files_left": "const fs = require('fs');\nfs.mkdirSync('d/e', { recursive: true });\nfs.writeFileSync('d/e/b', Buffer.from([0, 255]));\nfs.symlinkSync('/etc/passwd', 'link');\nfs.createWriteStream('stream').end('data');\nconsole.log(fs.readdirSync('.'), fs.readdirSync('/tmp'));\n",
    "options_given": {"source": "console.log(process.execArgv, process.env.NODE_OPTIONS, process.env.NODE_NO_WARNINGS);\nprocess.emitWarning('x');\n", "env": ["NODE_NO_WARNINGS=1"]},
    "node_path": {"source": "console.log(require('q'), require('module').globalPaths);\n", "env": ["NODE_PATH=/workspace/lib"], "files": {"lib/q.js": b"module.exports = module.id;\n"}},
}
