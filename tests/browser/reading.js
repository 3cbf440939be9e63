// Every visible text of the page, shadow roots and drawings included: where it is, its colour as
// numbers, how much of it is let through, and its size in CSS pixels as it is drawn.
() => {
  const canvas = document.createElement("canvas")
  canvas.width = canvas.height = 1
  const brush = canvas.getContext("2d", { willReadFrequently: true })
  const numbers = (colour) => {
    brush.clearRect(0, 0, 1, 1)
    brush.fillStyle = colour
    brush.fillRect(0, 0, 1, 1)
    const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data
    return [r, g, b, a / 255]
  }
  const above = (node) => node.assignedSlot ?? node.parentElement ?? node.getRootNode().host
  const texts = []
  const look = (root) => {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT)
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (node.nodeType === Node.ELEMENT_NODE) {
        if (node.shadowRoot) look(node.shadowRoot)
        continue
      }
      const text = node.textContent.trim()
      const parent = node.parentElement
      if (!text || !parent || parent.closest("style, script, title, desc, option")) continue
      if (parent.closest(":disabled, [aria-disabled=true]")) continue
      if (!parent.checkVisibility()) continue // as in a closed lid
      const range = document.createRange()
      range.selectNodeContents(node)
      const box = range.getBoundingClientRect()
      if (box.width < 2 || box.height < 2) continue
      const style = getComputedStyle(parent)
      if (style.visibility !== "visible" || /Material Symbols/.test(style.fontFamily)) continue
      let opacity = 1
      let cut = { left: 0, top: 0, right: innerWidth, bottom: innerHeight }
      let fixed = false // what is fixed is cut by the window alone
      for (let each = parent; each; each = above(each)) {
        const of = getComputedStyle(each)
        opacity *= Number(of.opacity)
        // The overflow of the page's root is the window's, not that of the root's own box.
        const cuts = !fixed && each !== document.documentElement && each !== document.body
        if (cuts && (of.overflowX !== "visible" || of.overflowY !== "visible")) {
          const its = each.getBoundingClientRect()
          cut = {
            left: Math.max(cut.left, its.left), top: Math.max(cut.top, its.top),
            right: Math.min(cut.right, its.right), bottom: Math.min(cut.bottom, its.bottom),
          }
        }
        fixed ||= of.position === "fixed"
      }
      const left = Math.max(box.left, cut.left), right = Math.min(box.right, cut.right)
      const top = Math.max(box.top, cut.top), bottom = Math.min(box.bottom, cut.bottom)
      if (opacity < 0.05 || right - left < 2 || bottom - top < 2) continue
      const drawn = parent instanceof SVGElement
      const [r, g, b, a] = numbers(drawn ? style.fill : style.color)
      const scale = drawn ? Math.hypot(parent.getScreenCTM().a, parent.getScreenCTM().b) : 1
      texts.push({
        text: text.slice(0, 60), left, top, right, bottom, colour: [r, g, b],
        alpha: a * opacity * (drawn ? Number(style.fillOpacity) : 1),
        size: Number.parseFloat(style.fontSize) * scale, weight: Number(style.fontWeight),
        drawn,
      })
    }
  }
  look(document.body)
  return texts
}
