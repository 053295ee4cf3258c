// Read by Node.js before it runs the CDK (cdk.json). The template validator is a large WebAssembly module that works
// for two seconds: compiling all of it, and then again for speed, takes longer than it saves.
const v8 = require("node:v8");
v8.setFlagsFromString("--wasm-lazy-compilation");
v8.setFlagsFromString("--liftoff-only");
