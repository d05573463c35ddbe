// Prints, as JSON, where Chromium is (unpacked on first use) and the arguments it needs.
import chromium from "@sparticuz/chromium";

console.log(JSON.stringify({ executable: await chromium.executablePath(), args: chromium.args }));
