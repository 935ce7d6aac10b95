// A real browser for the tests: Debian's Chromium, driven by Playwright. It signs in with the code of the mail, as people do.

import fs from "node:fs";
import path from "node:path";
import { createHmac } from "node:crypto";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// The sandbox needs what containers do not give, and the rest would look for Google's hosts.
const SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export const { DESK_URL, MAIL_DIRECTORY, CALCOM_BASE_URL, WEBHOOK_URL } = process.env;
export const PICTURES = process.env.PICTURES ?? ".frontdesk/desk";

export async function launch() {
  fs.mkdirSync(PICTURES, { recursive: true });
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: SWITCHES });
}

export function check(condition, what) {
  if (!condition) throw new Error(`failed: ${what}`);
}

/** What every open page shows, for whoever has to find out why a test failed. */
export async function tell(browser) {
  for (const page of browser.contexts().flatMap((context) => context.pages())) {
    const text = await page.locator("main").innerText({ timeout: 1000 }).catch(() => "nothing");
    console.log(`  open: ${page.url()}\n    ${text.replace(/\n+/g, "\n    ")}`);
  }
}

export function say(text) {
  console.log(`  ${text}`);
}

/** The newest code that was mailed to an address after `since`. */
async function code(email, since) {
  for (let tries = 0; tries < 100; tries += 1) {
    const folder = path.join(MAIL_DIRECTORY, "new");
    const files = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
    for (const file of files.map((name) => path.join(folder, name)).sort((a, b) => fs.statSync(b).mtimeMs - fs.statSync(a).mtimeMs)) {
      const mail = fs.readFileSync(file, "utf8");
      if (fs.statSync(file).mtimeMs < since || !mail.includes(email)) continue;
      const [head, ...body] = mail.split(/\r?\n\r?\n/);
      const text = /base64/.test(head) ? Buffer.from(body.join(""), "base64").toString() : body.join("\n");
      const [found] = text.match(/\b\d{6}\b/) ?? [];
      if (found) return found;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`failed: no code was mailed to ${email}`);
}

/** Signs in, and returns the page that was wanted. */
export async function signIn(browser, email, wanted, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.problems = [];
  // A page that breaks its own policy, or fails in its script, is broken.
  page.on("console", (message) => message.type() === "error" && message.text().includes("Content Security Policy") && page.problems.push(message.text()));
  page.on("pageerror", (error) => page.problems.push(String(error)));
  await page.goto(DESK_URL + wanted);
  const since = Date.now() - 1000;
  await page.fill("input[name=username]", email);
  await page.click("button[type=submit]");
  await page.click("button[value=EMAIL_OTP]");
  await page.fill("input[name=code]", await code(email, since));
  await Promise.all([page.waitForURL(DESK_URL + wanted), page.click("button[type=submit]")]);
  return page;
}

/** What sticks out of the card or the column that it is in. */
const STICKING_OUT = () => {
  const right = (it) => it.getBoundingClientRect().right;
  const around = (it) => it.parentElement.closest(".card, .col");
  const shown = [...document.querySelectorAll("main :is(.card, .col) :not(.hide, .hide *, pre *)")];
  const out = shown.filter((it) => it.getClientRects().length > 0 && right(it) > right(around(it)) + 1);
  return out.map((it) => `${it.tagName.toLowerCase()}.${it.getAttribute("class") ?? ""}: ${it.textContent.trim().slice(0, 40)}`);
};

/** No page may have a finding of axe's, be wider than its window, have anything that sticks out of its card, weigh more than 100 kB, or break its own policy. */
export async function inspect(page, name) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const findings = found.violations.map((it) => `${it.id}: ${it.nodes.map((node) => node.target.join(" ")).join(", ")}`);
  check(findings.length === 0, `${name} has findings of axe:\n    ${findings.join("\n    ")}`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(wide <= 0, `${name} is ${wide} pixels wider than its window`);
  const out = await page.evaluate(STICKING_OUT);
  check(out.length === 0, `${name} has what sticks out of its card:\n    ${out.slice(0, 5).join("\n    ")}`);
  check(page.problems.length === 0, `${name}: ${page.problems.join("; ")}`);
}

export async function picture(page, name) {
  await page.screenshot({ path: path.join(PICTURES, `${name}.png`) });
}

/** Counts the taps of what it does. */
export class Taps {
  constructor(page) {
    this.page = page;
    this.count = 0;
  }

  async tap(target) {
    this.count += 1;
    await target.click();
  }
}

/** Sends a call as Retell does. */
export async function call(fields, extra = {}) {
  const id = `call_${Date.now().toString(16)}${Math.floor(Math.random() * 1e6).toString(16)}`;
  const body = JSON.stringify({
    event: "call_analyzed",
    call: {
      call_type: "phone_call", call_id: id, agent_id: "agent_7d1f0c2b9a3e4f58", call_status: "ended", direction: "inbound",
      from_number: fields.customer_phone, to_number: "+4930901820", start_timestamp: Date.now(),
      call_analysis: { call_summary: "A call.", custom_analysis_data: fields }, ...extra,
    },
  });
  const now = Date.now().toString();
  const digest = createHmac("sha256", "key_local_frontdesk").update(body + now).digest("hex");
  const headers = { "content-type": "application/json", "x-retell-signature": `v=${now},d=${digest}` };
  const answer = await fetch(WEBHOOK_URL, { method: "POST", headers, body });
  check(answer.status === 200, `the webhook responded ${answer.status}`);
  return (await answer.json()).appointment_id;
}
