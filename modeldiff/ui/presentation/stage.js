// Holds all slides and shows one. Going from one to another asks nothing of the server: nothing
// flashes. The server is asked for another ceiling, another layer, and the way out.

const CEILING = { "+": 1, "=": 1, "-": -1, "−": -1 }
const FORWARD = ["ArrowRight", "PageDown", " "], BACK = ["ArrowLeft", "PageUp"]
// Text is as large as it was drawn, or larger. A little less is a rounding.
const ENOUGH = 0.998, HURRIED = 400

const sizeOf = (svg) => {
  const [, width, height] = /viewBox="[^ ]+ [^ ]+ ([^ ]+) ([^ "]+)"/.exec(svg)
  return { width: Number(width), height: Number(height) }
}
const typing = (target) => target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)

export default function ({ parentElement, data, setTriggerValue }) {
  const stage = parentElement.querySelector(".stage")
  // Drawings have classes of their own: what is looked for is none of theirs.
  const [body, head, keys, panel] = stage.children
  const find = (name) => head.querySelector(`.${name}`)
  const title = find("title"), about = find("about"), place = find("place")
  const names = data.slides.map((slide) => slide.name)
  const state = (stage.state ??= {
    view: names.includes(data.first) ? data.first : names[0],
    pinned: data.at, at: data.at, numbers: true, theme: null, fits: {}, escaped: 0,
  })
  if (!names.includes(state.view)) state.view = names[0]
  const at = () => names.indexOf(state.view)
  const slide = () => data.slides[at()]
  const host = () => body.querySelector("div.drawing")
  const line = () => body.querySelector("p.line") ?? about
  const isFull = () => stage.getRootNode().fullscreenElement === stage
  // What the server writes into the address is to keep the view that is shown.
  const ask = (wish) => setTriggerValue("wish", { ...wish, view: state.view.split("-")[0] })

  // What can be pointed at: cells of a heatmap, boxes of a diagram.
  const itemOf = (target) => target?.closest?.("[data-cell], [data-node]")
  const items = () => [...(host()?.querySelectorAll("[data-cell], [data-node]") ?? [])]
  const focused = () => itemOf(stage.getRootNode().activeElement)
  const idOf = (item) => item?.dataset.cell ?? item?.dataset.node
  const isPinned = (item) => state.pinned !== null && idOf(item) === String(state.pinned)
  const pinned = () => items().find(isPinned)
  const wordsOf = (item) =>
    item.dataset.cell !== undefined ? data.words[Number(item.dataset.cell)] : item.dataset.told.split("\n")[0]

  const read = (item = focused() ?? pinned()) => {
    const here = line()
    here.dataset.usual ??= here.textContent
    here.textContent = item ? wordsOf(item) : here.dataset.usual
    here.classList.toggle("read", Boolean(item))
  }
  const mark = () => {
    if (!host()?.firstElementChild) return
    for (const item of items()) {
      item.toggleAttribute("aria-selected", false)
      item.classList.remove("selected")
    }
    const one = pinned(), other = focused()
    const cell = (item) => (item?.dataset.cell === undefined ? null : item)
    ringCell(host(), cell(one), "chosen")
    ringCell(host(), other === one ? null : cell(other), "focus")
    if (one) one.dataset.cell === undefined ? one.classList.add("selected") : one.setAttribute("aria-selected", "true")
  }
  const stopAt = (item) => {
    for (const each of items()) each.setAttribute("tabindex", each === item ? "0" : "-1")
  }
  const go = (item) => {
    if (!item) return
    stopAt(item)
    item.focus()
    item.scrollIntoView({ block: "nearest", inline: "nearest" })
  }
  // What was measured in the chosen cell stands beside the heatmap. Until the server has said it of
  // another cell, the panel keeps what it has.
  const openPanel = () => {
    const of = slide().name === "heatmap" && state.pinned !== null
    const known = of && data.panel && data.at === state.pinned
    if (known && panel.dataset.shown !== data.panel) {
      panel.innerHTML = panel.dataset.shown = data.panel
      panel.scrollTop = 0
    }
    const hidden = !known && !(of && !panel.hidden)
    if (panel.hidden === hidden) return
    panel.hidden = hidden
    draw()
    pinned()?.scrollIntoView({ block: "nearest", inline: "nearest" })
  }
  const chooseCell = (at) => {
    state.pinned = at
    mark()
    read()
    openPanel()
    ask({ choose: true, at })
  }
  const pin = (item) => {
    const at = isPinned(item) ? null : idOf(item)
    const heatmap = names.indexOf("heatmap")
    if (item.dataset.cell !== undefined) {
      if (heatmap >= 0 && at !== null) show(heatmap)
      chooseCell(at === null ? null : Number(at))
      if (at !== null) go(pinned())
      return
    }
    state.pinned = at
    mark()
    read()
  }
  // One step: from what is chosen, then from what has the focus. False where there is neither.
  const leaveItem = () => {
    const item = focused()
    if (Number.isInteger(state.pinned)) chooseCell(null)
    else if (state.pinned !== null) state.pinned = null
    else if (item) item.blur()
    else return false
    mark()
    read()
    return true
  }

  const choose = (drawings, box) => {
    const unit = parseFloat(getComputedStyle(stage).fontSize) / 16
    const sizes = drawings.map(sizeOf)
    const whole = sizes.map(({ width, height }) => Math.min(box.width / width, box.height / height))
    const wide = sizes.map(({ width }) => box.width / width)
    let number = whole.findIndex((scale) => scale >= ENOUGH * unit)
    let scale = whole[number]
    if (number < 0) {
      // None is whole and large enough: the largest that fits its width, and the rest is scrolled.
      number = wide.findIndex((each) => each >= ENOUGH * unit)
      if (number < 0) number = sizes.length - 1
      scale = Math.max(unit, whole[number])
    }
    return { number, scale, width: sizes[number].width }
  }
  const draw = () => {
    const box = host(), drawings = slide().drawings
    if (!box || !drawings.length || !box.clientWidth) return
    // With its scroll bars, which the drawing before may have brought.
    const room = { width: box.offsetWidth, height: box.offsetHeight }
    const fitted = choose(drawings, room)
    // One layer after the other is drawn at one scale, so that nothing jumps.
    const before = state.fits[state.view], where = `${room.width} ${room.height}`
    if (slide().layered && before?.where === where && before.number === fitted.number) {
      fitted.scale = Math.min(fitted.scale, before.scale)
    }
    state.fits[state.view] = { where, ...fitted }
    const drawn = `${data.digest} ${state.view} ${fitted.number}`
    if (box.dataset.drawn !== drawn) {
      const was = idOf(focused())
      box.innerHTML = drawings[fitted.number]
      box.dataset.drawn = drawn
      for (const words of box.querySelectorAll("g > title")) {
        const item = words.parentElement
        item.dataset.told = words.textContent
        words.remove()
      }
      for (const item of items()) {
        item.setAttribute("aria-label", wordsOf(item))
        item.setAttribute("tabindex", "-1")
      }
      items().find((item) => idOf(item) === was)?.focus({ preventScroll: true })
      stopAt(focused() ?? pinned() ?? items()[0])
      showNumbers(box, state.numbers)
      mark()
    }
    box.firstElementChild.style.width = `${fitted.width * fitted.scale}px`
    reach()
  }
  // Tab reaches what is not whole.
  const reach = () => {
    for (const part of [body, host()].filter(Boolean)) {
      const whole = part.scrollWidth <= part.clientWidth && part.scrollHeight <= part.clientHeight
      const told = { tabindex: "0", role: "region", "aria-label": slide().label }
      for (const [name, value] of Object.entries(told)) {
        if (whole) part.removeAttribute(name)
        else part.setAttribute(name, value)
      }
    }
  }
  const show = (number) => {
    if (number < 0 || number >= names.length) return
    const other = names[number] !== state.view || body.dataset.shown === undefined
    const shown = `${data.digest} ${names[number]}`
    if (other) {
      state.pinned = body.dataset.shown === undefined ? data.at : null
      // A page that is loaded again, and a link that is copied now, open this view. An address that
      // says nothing of it has been left already: this stage is about to go.
      const address = new URL(location.href)
      if (address.searchParams.has("present")) {
        address.searchParams.set("present", names[number].split("-")[0])
        history.replaceState(history.state, "", address)
      }
    }
    state.view = names[number]
    if (body.dataset.shown !== shown) {
      const was = other ? undefined : idOf(focused())
      body.innerHTML = slide().html
      body.dataset.shown = shown
      body.scrollTop = 0
      title.textContent = slide().title
      about.textContent = slide().about
      delete about.dataset.usual
      place.textContent = `${slide().label} · ${number + 1} / ${names.length}`
      find("back").disabled = number === 0
      find("on").disabled = number === names.length - 1
      body.dataset.view = state.view
      draw()
      if (was !== undefined) go(items().find((item) => idOf(item) === was))
      else if (other) stage.focus({ preventScroll: true })
      mark()
      read()
    }
    openPanel()
    reach()
  }

  const paint = () => {
    for (const name of Object.keys(data.themes.dark)) stage.style.removeProperty(name)
    stage.style.colorScheme = state.theme ?? ""
    Object.entries(state.theme ? data.themes[state.theme] : {})
      .forEach(([name, value]) => stage.style.setProperty(name, value))
  }
  const otherTheme = () => {
    const now = state.theme ?? (getComputedStyle(stage).colorScheme.includes("dark") ? "dark" : "light")
    state.theme = now === "dark" ? "light" : "dark"
    paint()
  }
  const fullScreen = () => {
    if (isFull()) {
      state.escaped = Date.now()
      document.exitFullscreen()
      return
    }
    stage.requestFullscreen?.()
      .then(() => navigator.keyboard?.lock?.(["Escape"]))
      // Where it is refused, the window is filled.
      .catch(() => {})
  }
  const leave = () => ask({ leave: true })
  const stepBack = () => {
    state.escaped = Date.now()
    if (!keys.hidden) keys.hidden = true
    else if (!leaveItem()) leave()
  }
  const toLayer = (step) => {
    const there = (data.layer ?? -1) + step
    if (there >= -1 && there < data.layers) ask({ layer: there < 0 ? null : there })
  }

  // What is not whole even so is scrolled.
  const scroll = (step) => {
    for (const part of [body, host()]) part?.scrollBy({ top: step * 0.2 * part.clientHeight })
  }

  stage.onKey = (event) => {
    const { key } = event
    if (event.ctrlKey || event.altKey || event.metaKey || typing(event.composedPath()[0])) return
    // The panel is read by its own scrolling.
    if (event.composedPath().includes(panel) && /^(Arrow(Up|Down)|Page(Up|Down)|Home|End| )$/.test(key)) return
    const item = focused(), button = event.composedPath()[0].tagName === "BUTTON"
    if (key === "Escape") stepBack()
    else if (key === "?") keys.hidden = !keys.hidden
    else if (item && (key in ARROWS || key === "Home" || key === "End")) {
      if (item.dataset.cell !== undefined) {
        const { width, height } = sizeOf(slide().drawings[state.fits[state.view].number])
        go(nextCell(host(), item, key, data.layered, height > width))
      } else {
        const all = items(), step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[key]
        go(step ? all[all.indexOf(item) + step] : key === "Home" ? all[0] : all.at(-1))
      }
    } else if (item && (key === "Enter" || key === " ")) pin(item)
    else if (button && (key === "Enter" || key === " ")) return
    else if (key === "Enter") go(pinned() ?? items().find((one) => one.tabIndex === 0))
    else if (FORWARD.includes(key)) show(at() + 1)
    else if (BACK.includes(key)) show(at() - 1)
    else if (key === "Home") show(0)
    else if (key === "End") show(names.length - 1)
    else if (slide().layered && key === "ArrowUp") toLayer(1)
    else if (slide().layered && key === "ArrowDown") toLayer(-1)
    else if (key === "ArrowUp") scroll(-1)
    else if (key === "ArrowDown") scroll(1)
    else if (key in CEILING && host()?.querySelector("[data-cell]")) {
      const cell = item ?? pinned()
      ask({ ceiling: CEILING[key], at: cell ? Number(cell.dataset.cell) : null })
    } else if (key === "n" && host()) {
      state.numbers = !state.numbers
      showNumbers(host(), state.numbers)
    } else if (key === "t") otherTheme()
    else if (key === "f") fullScreen()
    else if (/^[1-9]$/.test(key)) go(items().find((one) => one.dataset.number === key))
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  find("back").onclick = () => show(at() - 1)
  find("on").onclick = () => show(at() + 1)
  find("help").onclick = () => { keys.hidden = !keys.hidden }
  find("out").onclick = leave
  keys.onclick = () => { keys.hidden = true }
  // A mouse that rests where another slide puts a box points at nothing: it has to move.
  body.onpointermove = (event) => read(itemOf(event.target) ?? undefined)
  body.onpointerleave = () => read()
  body.onclick = (event) => {
    const item = itemOf(event.target)
    if (item) pin(item)
  }
  stage.onFocus = () => { mark(); read() }
  stage.onResize = () => { draw(); reach() }
  stage.onFull = () => {
    // The browser's own way out of the full screen is a step back, too; not after the key itself.
    if (!isFull() && Date.now() - state.escaped > HURRIED) stepBack()
    stage.focus({ preventScroll: true })
  }

  // Another cell was chosen elsewhere, as by the browser's way back.
  if (data.at !== state.at && slide().name === "heatmap") state.pinned = data.at
  state.at = data.at
  show(at())
  draw()
  mark()
  paint()
  reach()
  if (!stage.watch) {
    stage.watch = new ResizeObserver(() => stage.onResize())
    stage.watch.observe(stage)
    // Until its font is there a sentence may take a line more.
    document.fonts.ready.then(() => stage.onResize())
    stage.addEventListener("focusin", () => stage.onFocus())
    stage.addEventListener("focusout", () => stage.onFocus())
    stage.addEventListener("fullscreenchange", () => stage.onFull())
    // It goes with the stage.
    const onKey = (event) =>
      stage.isConnected ? stage.onKey(event) : document.removeEventListener("keydown", onKey, true)
    document.addEventListener("keydown", onKey, true)
    stage.focus({ preventScroll: true })
    // Only who has just pressed the button may be given the full screen.
    if (navigator.userActivation?.isActive) fullScreen()
  }
}
