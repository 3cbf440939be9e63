// Draws one of a few SVGs of the same diagram, and says which box was chosen.
//
// The SVG is written into a child, whose handlers are assigned anew at each run: none pile up.
// Where the picture changes under the reader (a diff that runs, a layer after the other), the
// keyboard's focus stays. What a box tells is shown at once for the mouse and the keyboard alike,
// and hidden by Escape; the browser's own tooltip for it is late, and for the mouse alone.

// No drawing grows over this, and below the size at which it can be read it is scrolled.
const MOST = 1.3, READABLE = 0.8

function sizeOf(svg) {
  const [, width, height] = /viewBox="[^ ]+ [^ ]+ ([^ ]+) ([^ "]+)/.exec(svg)
  return { width: Number(width), height: Number(height) }
}

export default function ({ parentElement, data, setStateValue }) {
  const find = (name) => parentElement.querySelector(`.${name}`)
  const stage = find("stage"), host = find("host"), tip = find("tip"), full = find("full"), pair = find("pair")

  const say = (news) =>
    setStateValue("view", { selected: data.selected, layer: data.layer, ...news })

  const isFull = () => host.getRootNode().fullscreenElement === stage

  const choose = () => {
    const room = host.clientWidth
    const sizes = data.drawings.map(sizeOf)
    if (isFull()) {
      const high = stage.clientHeight * 0.97 - pair.offsetHeight
      const scales = sizes.map(({ width, height }) => Math.min(room / width, high / height))
      const best = scales.indexOf(Math.max(...scales))
      // What can't be read whole is scrolled.
      const scale = Math.max(scales[best], Math.min(READABLE, room / sizes[best].width))
      // One layer after the other is drawn at one scale, so that nothing jumps.
      const where = `${best} ${room} ${Math.round(high)}`
      if (host.fit?.where !== where) host.fit = { where, scale }
      host.fit.scale = Math.min(host.fit.scale, scale)
      return { number: best, width: sizes[best].width * host.fit.scale }
    }
    const fits = sizes.findIndex(({ width }) => width <= room)
    const number = fits < 0 ? sizes.length - 1 : fits
    const { width } = sizes[number]
    return { number, width: Math.max(Math.min(room, MOST * width), READABLE * width) }
  }

  const tell = (node) => {
    tip.textContent = node.dataset.told
    tip.hidden = false
    const frame = stage.getBoundingClientRect(), box = node.getBoundingClientRect()
    const left = Math.min(box.left - frame.left, frame.width - tip.offsetWidth)
    const under = box.bottom - frame.top + 6, over = box.top - frame.top - tip.offsetHeight - 6
    const fits = box.bottom + 6 + tip.offsetHeight < window.innerHeight
    tip.style.left = `${Math.max(left, 0)}px`
    tip.style.top = `${fits || over < 0 ? under : over}px`
  }
  const hush = () => { tip.hidden = true }

  const prepare = () => {
    for (const title of host.querySelectorAll("g > title")) {
      const node = title.parentElement
      node.dataset.told = title.textContent
      if (node.dataset.node) node.setAttribute("aria-description", title.textContent)
      title.remove()
    }
  }

  const boxes = () => [...host.querySelectorAll("[data-node]")]
  // One stop for Tab: the chosen box, or the first. Arrows go on from there.
  const stopAt = (node) => {
    for (const each of boxes()) each.setAttribute("tabindex", each === node ? "0" : "-1")
  }
  const go = (node) => {
    if (!node) return
    stopAt(node)
    node.focus()
    node.scrollIntoView({ block: "nearest", inline: "nearest" })
  }

  const draw = () => {
    if (!host.clientWidth) return
    const { number, width } = choose()
    const drawn = `${data.digest} ${number}`
    if (host.dataset.drawn !== drawn) {
      const focused = host.getRootNode().activeElement?.dataset?.node
      hush()
      host.innerHTML = data.drawings[number]
      host.dataset.drawn = drawn
      prepare()
      boxes().find((node) => node.dataset.node === focused)?.focus()
    }
    host.firstElementChild.style.width = `${width}px`
    for (const node of host.querySelectorAll("[data-told]")) {
      node.onmouseenter = () => tell(node)
      node.onmouseleave = hush
      node.onfocus = () => node.matches(":focus-visible") && tell(node)
      node.onblur = hush
    }
    for (const node of host.querySelectorAll("[data-node]")) {
      const chosen = node.dataset.node === data.selected
      node.classList.toggle("selected", chosen)
      node.setAttribute("aria-pressed", String(chosen))
      const take = () => say({ selected: chosen ? null : node.dataset.node })
      node.onclick = take
      node.onkeydown = (event) => {
        if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return
        const all = boxes(), at = all.indexOf(node)
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key]
        const there =
          step ? all[at + step]
          : event.key === "Home" ? all[0]
          : event.key === "End" ? all.at(-1)
          : undefined
        if (event.key === "Enter" || event.key === " ") take()
        else if (step || there) go(there)
        else return
        event.preventDefault()
        event.stopPropagation()
      }
    }
    const all = boxes()
    const stop = all.find((node) => node === host.getRootNode().activeElement)
    stopAt(stop ?? all.find((node) => node.dataset.node === data.selected) ?? all[0])
  }

  full.onclick = () => stage.requestFullscreen().then(() => stage.focus())
  stage.tabIndex = -1
  stage.onkeydown = (event) => {
    if (event.key === "Escape") hush()
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return
    if (/^[1-9]$/.test(event.key)) go(boxes().find((node) => node.dataset.number === event.key))
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (step) {
      event.preventDefault()
      // All layers together are before the first.
      const there = (data.layer ?? -1) + step
      if (there >= -1 && there < data.layers) say({ layer: there < 0 ? null : there })
    }
  }
  pair.textContent = data.title
  host.redraw = draw
  host.watch ??= new ResizeObserver(() => host.redraw())
  host.watch.observe(host)
  draw()
}
