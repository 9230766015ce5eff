(function () {
  "use strict";
  var root = document.documentElement;
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  function stored() {
    // Storage may be switched off; the page then follows the system.
    try { return localStorage.getItem("nonsmooth-theme"); } catch (e) { return null; }
  }
  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
  }
  var theme = stored();
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;
  document.addEventListener("DOMContentLoaded", function () {
    var toggle = document.getElementById("theme");
    function label() { toggle.textContent = isDark() ? "Light page" : "Dark page"; }
    toggle.hidden = false;
    label();
    dark.addEventListener("change", label);
    toggle.addEventListener("click", function () {
      root.dataset.theme = isDark() ? "light" : "dark";
      try { localStorage.setItem("nonsmooth-theme", root.dataset.theme); } catch (e) { /* as above */ }
      label();
    });
    document.querySelectorAll("button.copy").forEach(function (button) {
      var code = button.parentElement.querySelector("code");
      button.hidden = false;
      button.addEventListener("click", function () {
        function done() {
          button.textContent = "Copied";
          setTimeout(function () { button.textContent = "Copy"; }, 1600);
        }
        function select() {
          var range = document.createRange();
          range.selectNodeContents(code);
          var selection = window.getSelection();
          selection.removeAllRanges();
          selection.addRange(range);
          if (document.execCommand("copy")) done();
        }
        if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(done, select);
        else select();
      });
    });
    // A folded part is part of the record: paper shows it open.
    var folded = document.querySelectorAll("details");
    var closed = [];
    window.addEventListener("beforeprint", function () {
      closed = Array.prototype.filter.call(folded, function (d) { return !d.open; });
      closed.forEach(function (d) { d.open = true; });
    });
    window.addEventListener("afterprint", function () {
      closed.forEach(function (d) { d.open = false; });
    });
  });
})();
