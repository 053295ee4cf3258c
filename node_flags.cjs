// Read by Node.js before it runs the CDK (cdk.json). The template validator is a large WebAssembly module that works
// for a few seconds: compiling all of it takes longer than it saves, so that only what runs is compiled, and for speed
// only what runs very often.
const v8 = require("node:v8");
v8.setFlagsFromString("--wasm-lazy-compilation");
v8.setFlagsFromString("--wasm-tiering-budget=400000000");
