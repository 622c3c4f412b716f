// The same quote and collateral through npm @phala/dcap-qvl: median of 60 after 10 to warm up, in
// microseconds. Arguments: MODULES QUOTE COLLATERAL TIME
const fs = require("fs");
const [, , modules, quoteFile, collateralFile, time] = process.argv;
const { verify } = require(modules + "/@phala/dcap-qvl");
const quote = fs.readFileSync(quoteFile);
const collateral = JSON.parse(fs.readFileSync(collateralFile));
const us = [];
for (let i = 0; i < 70; i++) {
    const start = process.hrtime.bigint();
    verify(quote, collateral, Number(time));
    if (i >= 10) us.push(Number(process.hrtime.bigint() - start) / 1e3);
}
us.sort((a, b) => a - b);
console.log(us[us.length >> 1].toFixed(1));
