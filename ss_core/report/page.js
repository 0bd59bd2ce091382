"use strict";
(() => {
  const charts = [...document.querySelectorAll(".chart")];
  const settings = { responsive: true, displaylogo: false, displayModeBar: false, showTips: false };
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function dressed(layout, width, count) {
    const ink = colour("--ink"), line = colour("--line");
    const narrow = width < 520;
    const axis = (given) => ({
      gridcolor: line, zerolinecolor: line, linecolor: line, automargin: true, fixedrange: narrow,
      ...given, title: { standoff: 8, ...(given && given.title), font: { size: 12.5 } },
    });
    return {
      margin: { l: narrow ? 44 : 60, r: 12, t: layout.title ? 34 : 12, b: 44 },
      hoverlabel: { font: { family: "system-ui, sans-serif" } },
      legend: { orientation: "h", y: -0.22, yanchor: "top", x: 0, font: { size: 12 } },
      showlegend: count > 1,
      ...layout,
      ...(layout.title && { title: { ...layout.title, font: { size: 13.5 } } }),
      font: { family: "system-ui, sans-serif", size: 12.5, color: ink },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      xaxis: axis(layout.xaxis), yaxis: axis(layout.yaxis),
    };
  }

  function draw(chart) {
    if (chart.dataset.drawn) return;
    chart.dataset.drawn = "yes";
    const figure = JSON.parse(document.getElementById(chart.dataset.figure).textContent);
    chart.layoutGiven = figure.layout;
    chart.named = figure.data.filter((trace) => trace.name && trace.showlegend !== false).length;
    Plotly.newPlot(chart, figure.data, dressed(figure.layout, chart.clientWidth, chart.named), settings);
    document.documentElement.dataset.drawn = String(document.querySelectorAll(".chart[data-drawn]").length);
  }

  function again() {
    for (const chart of charts)
      if (chart.dataset.drawn) Plotly.relayout(chart, dressed(chart.layoutGiven, chart.clientWidth, chart.named));
  }

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries)
      if (entry.isIntersecting) { seen.unobserve(entry.target); draw(entry.target); }
  }, { rootMargin: "400px" });
  charts.forEach((chart) => seen.observe(chart));
  const later = window.requestIdleCallback || ((work) => setTimeout(work, 50));
  const rest = () => {
    const next = charts.find((chart) => !chart.dataset.drawn);
    if (next) { draw(next); later(rest); }
  };
  later(rest);

  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  window.addEventListener("beforeprint", () => { charts.forEach(draw); again(); });
  window.addEventListener("afterprint", again);
})();
