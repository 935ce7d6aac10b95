// The incident of November 2025, replayed, then settled by clicks alone: each conflict by at most three.

import fs from "node:fs";
import { DESK_URL, Taps, check, launch, picture, say, signIn } from "./browser.mjs";

const { tenant, email } = JSON.parse(fs.readFileSync(process.env.INCIDENT, "utf8"));
const CLICKS = 3;

const browser = await launch();
try {
  const page = await signIn(browser, email, `/s/${tenant}/todo`);
  const cards = page.locator("article", { hasText: "Zeit vergeben" });
  const conflicts = await cards.count();
  check(conflicts === 3, `${conflicts} conflicts wait, and not 3`);
  await picture(page, "incident-desktop-light");
  for (let nth = 1; nth <= conflicts; nth += 1) {
    await page.goto(`${DESK_URL}/s/${tenant}/todo`);
    const taps = new Taps(page);
    await taps.tap(cards.first().locator(".chip").first());
    await taps.tap(cards.first().getByRole("button", { name: "Eintragen", exact: true }));
    await page.locator(".tag.ok", { hasText: "Eingetragen" }).waitFor({ timeout: 30_000 });
    check(taps.count <= CLICKS, `conflict ${nth} takes ${taps.count} clicks`);
    say(`conflict ${nth}: settled by ${taps.count} clicks, and confirmed by Cal.com`);
  }
  await page.goto(`${DESK_URL}/s/${tenant}/todo`);
  check(await page.getByText("Alles erledigt").count(), "nothing waits any more");
} finally {
  await browser.close();
}
