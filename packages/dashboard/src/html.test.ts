import { expect, test } from "vitest";
import { Html, html } from "./html.ts";

test("what is inserted is escaped, in text and in attributes", () => {
  const hostile = `<script>alert('1')</script>" onload="x & y`;
  expect(html`<p title="${hostile}">${hostile}</p>`.text).toBe(
    '<p title="&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot; onload=&quot;x &amp; y">' +
      "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot; onload=&quot;x &amp; y</p>",
  );
});

test("markup is inserted as it is, alone and in lists", () => {
  const items = ["a", "<b>"].map((name) => html`<li>${name}</li>`);
  expect(html`<ul>${items}</ul>`.text).toBe("<ul><li>a</li><li>&lt;b&gt;</li></ul>");
  expect(html`${Html.trusted("<hr>")}`.text).toBe("<hr>");
});

test("what is not there is nothing, and 0 is 0", () => {
  expect(html`[${null}${undefined}${false}${0}]`.text).toBe("[0]");
});

test("an object that only looks like markup is none", () => {
  // As JSON of a payload could.
  const fake: unknown = JSON.parse('{"text":"<script>"}');
  expect(fake instanceof Html).toBe(false);
});
