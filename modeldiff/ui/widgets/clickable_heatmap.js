// Draws one of a few SVGs of the same heatmap, reads its cells out, and says which was chosen.
//
// The SVG is written into a child, and all handlers are the host's, assigned anew at each run: none
// pile up, however many cells there are. What a cell says stands in the line over the picture, for
// the mouse and the keyboard alike, so that nothing moves and nothing is covered.

// From this share of its own size on a drawing is taken; below it another one is, or it is scrolled.
const LEAST = 0.96, LEAST_SCREEN = 0.8, MOST = 1.7, MOST_DOWN = 1.25, HEADER = 60

const sizeOf = (svg) => {
  const [, width, height] = /width="(\d+)" height="(\d+)"/.exec(svg)
  return { width: Number(width), height: Number(height) }
}

const CEILING = { "+": 1, "=": 1, "-": -1, "−": -1 }

export default function ({ parentElement, data, setStateValue, setTriggerValue }) {
  const find = (name) => parentElement.querySelector(`.${name}`)
  const stage = find("stage"), host = find("host"), line = find("line"), full = find("full"), stuck = find("stuck")
  const across = ["small", "page", "screen"].filter((name) => data.drawings[name])
  const isFull = () => host.getRootNode().fullscreenElement === stage

  const choose = () => {
    const room = host.clientWidth
    const over = host.getBoundingClientRect().top - stage.getBoundingClientRect().top + stage.scrollTop
    const scaled = Object.keys(data.drawings).map((name) => {
      const size = sizeOf(data.drawings[name])
      const seen = (isFull() ? stage.clientHeight - over - 20 : window.innerHeight - HEADER - 40) / size.height
      return { name, size, wide: room / size.width, whole: Math.min(room / size.width, seen) }
    })
    const wide = scaled.filter((one) => across.includes(one.name))
    const down = scaled.filter((one) => !across.includes(one.name))
    if (isFull() && wide.length) {
      // The drawing made for a screen, unless this one is so narrow that it could not be read.
      const best = wide.find((one) => one.name === "screen" && one.whole >= LEAST_SCREEN)
        ?? scaled.reduce((one, other) => (other.whole > one.whole ? other : one))
      return { name: best.name, width: best.size.width * best.whole }
    }
    const enough = (list) => list.filter((one) => one.wide >= LEAST).at(-1)
    const { size, wide: fits, whole, name } = enough(wide) ?? enough(down) ?? down[0] ?? scaled[0]
    // Layers across are seen in one piece; layers down may be scrolled, and no larger than they need.
    const scale = across.includes(name)
      ? Math.min(Math.max(whole, LEAST), MOST) : Math.min(Math.max(fits, LEAST), MOST_DOWN)
    return { name, width: size.width * scale }
  }

  const cellOf = (target) => target?.closest?.("[data-cell]")
  const cellAt = (at) => host.querySelector(`[data-cell="${at}"]`)
  const read = (cell, keys = "") => {
    const words = cell && data.words[Number(cell.dataset.cell)]
    line.classList.toggle("read", Boolean(cell))
    line.textContent = cell ? words + keys : data.hint
    // Beside the open panel there is no room for both: half a word of a hint is worse than none.
    if (cell && line.scrollWidth > line.clientWidth) line.textContent = words
  }
  const keysAt = (cell) => {
    if (Number(cell.dataset.cell) === data.at) return "  Enter or Esc closes"
    return `  Enter opens · Esc ${data.at === null ? "leaves" : "closes"}`
  }
  const focusedCell = () => {
    const cell = cellOf(host.getRootNode().activeElement)
    return cell?.matches(":focus-visible") ? cell : null
  }
  const say = (at) => {
    if (!data.leadsTo) return setStateValue("view", { at: at === data.at ? null : at })
    const [layer, component] = data.places[at], query = new URLSearchParams(location.search)
    for (const [name, value] of Object.entries({ layer, component, expert: null })) {
      if (value === null || value === "") query.delete(name)
      else query.set(name, value)
    }
    go(data.leadsTo, query)
  }

  const tabTo = (cell) => {
    for (const other of host.querySelectorAll('[tabindex="0"]')) other.setAttribute("tabindex", "-1")
    cell?.setAttribute("tabindex", "0")
  }
  const stick = () => {
    const svg = host.firstElementChild
    if (!svg || isFull()) return (stuck.hidden = true)
    const scale = svg.getBoundingClientRect().width / Number(svg.getAttribute("width"))
    const [start, end] = svg.dataset.head.split(" ").map(Number)
    const top = host.getBoundingClientRect().top + start * scale
    const last = host.getBoundingClientRect().bottom - (end - start) * scale
    stuck.hidden = top >= HEADER || last < HEADER
  }
  const fillStuck = (width) => {
    const svg = host.firstElementChild
    const [start, end] = svg.dataset.head.split(" ").map(Number)
    const first = svg.querySelector(".legend"), over = first.compareDocumentPosition(svg.querySelector(".head")) & 4
    const legend = over && first.childElementCount ? first.getBBox().height + 6 : 0
    // Its rules and definitions are the drawing's own, which stands beside it.
    const copy = svg.cloneNode(false)
    const size = { width: Number(svg.getAttribute("width")), height: legend + end - start }
    copy.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`)
    // Else its height would be in proportion to the whole drawing's.
    for (const name of ["role", "width", "height"]) copy.removeAttribute(name)
    copy.style.width = `${width}px`
    if (legend) copy.append(first.cloneNode(true))
    const head = svg.querySelector(".head").cloneNode(true)
    head.setAttribute("transform", `translate(0 ${legend - start})`)
    copy.append(head)
    stuck.replaceChildren(copy)
  }

  const draw = () => {
    if (!host.clientWidth) return
    const { name, width } = choose()
    const drawn = `${data.digest} ${name}`
    if (host.dataset.drawn !== drawn) {
      const focused = cellOf(host.getRootNode().activeElement)?.dataset.cell
      host.innerHTML = data.drawings[name]
      host.dataset.drawn = drawn
      host.dataset.name = name
      for (const cell of host.querySelectorAll("[data-cell]")) {
        cell.setAttribute("aria-label", data.words[Number(cell.dataset.cell)])
        cell.setAttribute("tabindex", "-1")
      }
      if (focused !== undefined) cellAt(focused)?.focus({ preventScroll: true })
      showNumbers(host, !host.numberless)
      read(null)
    }
    host.firstElementChild.style.width = `${width}px`
    fillStuck(width)
    for (const old of host.querySelectorAll("[aria-selected]")) old.removeAttribute("aria-selected")
    const chosen = data.at === null ? null : cellAt(data.at)
    chosen?.setAttribute("aria-selected", "true")
    ringCell(host, chosen, "chosen")
    if (!host.querySelector('[tabindex="0"]') || chosen) tabTo(chosen ?? host.querySelector("[data-cell]"))
    const focused = focusedCell()
    if (focused) read(focused, keysAt(focused)) // its keys do something else when a panel opens
    stick()
  }

  host.onpointerover = (event) => read(cellOf(event.target))
  host.onpointerleave = () => read(null)
  host.onclick = (event) => {
    const cell = cellOf(event.target)
    if (cell) say(Number(cell.dataset.cell))
  }
  host.focused = (event) => {
    const cell = cellOf(event.target)
    if (!cell || !cell.matches(":focus-visible")) return
    ringCell(host, cell, "focus")
    read(cell, keysAt(cell))
  }
  host.blurred = () => { ringCell(host, null, "focus"); read(null) }
  host.onkeydown = (event) => {
    const cell = cellOf(event.target)
    if (!cell || event.ctrlKey || event.altKey || event.metaKey) return
    if (event.key in ARROWS || event.key === "Home" || event.key === "End") {
      event.preventDefault()
      const to = nextCell(host, cell, event.key, data.layered, !across.includes(host.dataset.name))
      if (!to) return
      tabTo(to)
      to.focus()
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault()
      say(Number(cell.dataset.cell))
    } else if (event.key in CEILING) {
      setTriggerValue("ceiling", { at: Number(cell.dataset.cell), step: CEILING[event.key] })
    } else if (event.key === "n") {
      host.numberless = !host.numberless
      showNumbers(host, !host.numberless)
    } else if (event.key === "Escape") {
      if (data.at !== null) setStateValue("view", { at: null })
      else cell.blur()
    }
  }
  full.onclick = () => stage.requestFullscreen().then(() => host.querySelector('[tabindex="0"]')?.focus())
  stage.dataset.title = data.title

  host.redraw = draw
  host.stick = stick
  if (!host.watch) {
    host.watch = new ResizeObserver(() => host.redraw())
    host.watch.observe(host)
    // These two have no property to be assigned to.
    host.addEventListener("focusin", (event) => host.focused(event))
    host.addEventListener("focusout", () => host.blurred())
    // It goes with the picture that it was for.
    const follow = () => (host.isConnected ? host.stick() : document.removeEventListener("scroll", follow, true))
    document.addEventListener("scroll", follow, { passive: true, capture: true })
  }
  draw()
}
