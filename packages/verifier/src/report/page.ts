/** The report as a template of eta's: `<%= %>` is escaped, and `<%~ %>` (which is not) is for the style alone. */
export const REPORT_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="<%= it.policy %>">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title><%= it.title %></title>
<style><%~ it.style %></style>
</head>
<body>
<main>
<header class="card verdict <%= it.verdict %>">
<h1><%= it.title %></h1>
<p><%= it.outcome %></p>
<p class="soft"><%= it.scale %></p>
<% if (it.note !== null) { %>
<p class="note"><%= it.note %></p>
<% } %>
</header>

<h2>Rules</h2>
<section class="card" aria-label="How each rule fares">
<p class="legend">
<% for (const { kind, label } of it.legend) { %>
<span><svg viewBox="0 0 1 1" aria-hidden="true"><rect class="<%= kind %>" width="1" height="1"/></svg><%= label %></span>
<% } %>
</p>
<div>
<% for (const rule of it.rules) { %>
<div class="rule">
<span class="name"><%= rule.name %> <span class="badge <%= rule.badgeKind %>"><%= rule.badge %></span></span>
<span class="numbers"><%= rule.numbers %></span>
<svg viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label="<%= rule.inWords %>">
<% for (const bar of rule.bars) { %>
<rect class="<%= bar.kind %>" x="<%= bar.x %>" width="<%= bar.width %>" height="10"/>
<% } %>
</svg>
</div>
<% } %>
</div>
</section>

<% if (it.failing.length > 0) { %>
<h2>What does not hold</h2>
<% for (const rule of it.failing) { %>
<section class="card">
<div class="head">
<h3><%= rule.name %></h3>
<span class="badge <%= rule.badgeKind %>"><%= rule.badge %></span>
</div>
<% if (rule.description !== null) { %>
<p class="soft"><%= rule.description %></p>
<% } %>
<p><%= rule.inWords %></p>
<ul>
<% for (const { key, message } of rule.examples) { %>
<li><% if (key !== null) { %><code><%= key %></code><% } %><%= message %></li>
<% } %>
<% if (rule.more !== null) { %>
<li class="soft"><%= rule.more %></li>
<% } %>
</ul>
</section>
<% } %>
<% } %>

<h2>How this was made</h2>
<section class="card">
<dl>
<% for (const [name, value] of it.facts) { %>
<dt><%= name %></dt><dd><%= value %></dd>
<% } %>
</dl>
</section>
</main>
</body>
</html>
`;
