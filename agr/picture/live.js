'use strict';
(() => {
  const $ = id => document.getElementById(id);
  const shown = 200; // lines of the log
  const quiet = 5000; // ms without news that mean that nobody is there
  let last = '', heard = Date.now(), source;

  // parse makes nodes of the server's HTML. No program in it would run.
  const parse = html => new DOMParser().parseFromString(html, 'text/html').body;

  // patch makes a node what another one is, and leaves alone what is the same:
  // the reader's focus, selection and open details stay.
  function patch(node, want) {
    if (node.nodeType !== want.nodeType || node.nodeName !== want.nodeName) {
      node.replaceWith(want);
    } else if (node.nodeType !== Node.ELEMENT_NODE) {
      if (node.nodeValue !== want.nodeValue) node.nodeValue = want.nodeValue;
    } else {
      attributes(node, want);
      children(node, want);
    }
  }

  function attributes(node, want) {
    for (const { name } of [...node.attributes]) {
      const reader = name === 'open' && node.nodeName === 'DETAILS';
      if (!reader && !want.hasAttribute(name)) node.removeAttribute(name);
    }
    for (const { name, value } of want.attributes) {
      if (node.getAttribute(name) !== value) node.setAttribute(name, value);
    }
  }

  const key = node => node?.dataset?.key;

  function children(node, want) {
    const known = new Map([...node.children].filter(key).map(c => [key(c), c]));
    let at = node.firstChild;
    for (const n of [...want.childNodes]) {
      const match = key(n) ? known.get(key(n)) : at && !key(at) ? at : null;
      if (!match) {
        node.insertBefore(n, at);
        continue;
      }
      if (match === at) at = at.nextSibling;
      else node.insertBefore(match, at);
      patch(match, n);
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  function fill(id, html) {
    const want = $(id).cloneNode(false);
    want.append(...parse(html).childNodes);
    children($(id), want);
  }

  function say(mark, text) {
    const span = document.createElement('span');
    span.className = 'gone';
    span.textContent = mark + ' ' + text;
    $('daemon').replaceChildren(span);
    document.body.classList.add('stale');
  }

  const take = {
    daemon(m) {
      fill('daemon', m.html);
      document.body.classList.toggle('stale', m.gone === true);
    },
    overview(m) {
      fill('overview', m.html);
      document.title = m.title;
    },
    order(m) {
      const main = $('agrs');
      const names = m.names || [];
      for (const c of [...main.children]) if (!names.includes(key(c))) c.remove();
    },
    agr(m) {
      const main = $('agrs'), want = parse(m.html).firstElementChild;
      const old = [...main.children].find(c => key(c) === key(want));
      if (old) patch(old, want);
      else main.insertBefore(want, main.children[m.place] || null);
    },
    event(m) {
      const log = $('log');
      for (const li of [...parse(m.html).children]) log.prepend(li);
      while (log.children.length > shown) log.lastChild.remove();
    },
    tick() {},
  };

  function connect() {
    source = new EventSource('events' + (last ? '?after=' + encodeURIComponent(last) : ''));
    for (const kind of Object.keys(take)) {
      source.addEventListener(kind, e => {
        heard = Date.now();
        if (e.lastEventId) last = e.lastEventId;
        take[kind](JSON.parse(e.data));
      });
    }
    source.onerror = () => {
      source.close();
      say('✕', 'agrd web does not answer. What you see is from ' + new Date(heard).toLocaleTimeString() + '. Trying again …');
      setTimeout(connect, 1000);
    };
  }

  setInterval(() => {
    if (Date.now() - heard > quiet && source.readyState === EventSource.OPEN) source.onerror();
  }, 1000);
  last = document.documentElement.dataset.event || '';
  connect();
})();
