import Foundation
import Media
import TestSupport
import Testing

@testable import Pages

@Suite("Pages")
struct HTMLTests {
  @Test("a page is whole, escapes its title, leaves out empty parts and asks for nothing from elsewhere")
  func page() {
    let page = HTMLPage(title: "a <b> & c", parts: ["<p>one</p>", "", "<p>two</p>"]).text
    #expect(page.hasPrefix("<!doctype html>") && page.hasSuffix("</html>\n"))
    #expect(page.contains("<h1>a &lt;b&gt; &amp; c</h1>") && page.contains("<p>one</p>\n<p>two</p>"))
    #expect(page.components(separatedBy: "<script>").count == 2 && page.contains("max-width"))
    #expect(!page.contains("src=\"http") && !page.contains("url("))
  }

  @Test("tables escape their cells, and mark text columns and the own row")
  func table() {
    let table = ReportTable(header: ["name", "x|y"], rows: [["<a>", "1"], ["own", "2"]])
    #expect(table.html(own: "own").contains("<tr class=\"own\"><td class=\"text\">own</td><td>2</td></tr>"))
    #expect(table.html().contains("<td class=\"text\">&lt;a&gt;</td>") && !table.html().contains("button"))
    #expect(table.html(isSortable: true).contains("<button type=\"button\">x|y</button>"))
    #expect(table.markdown == "| name | x\\|y |\n|---|---|\n| <a> | 1 |\n| own | 2 |")
  }

  @Test("a strip is a small MP4 inside of the page")
  func strip() throws {
    let directory = try TemporaryDirectory()
    let size = FrameSize(width: 192, height: 48)
    let pixels = (0..<5 * size.byteCount).map { UInt8(truncatingIfNeeded: $0 / 7) }
    let clip = VideoClip(size: size, frameRate: .training, pixels: pixels)
    let strip = try ClipStrip(clip, panels: ["target", "<new>"], scratch: directory.path)
    #expect(strip.size == FrameSize(width: 576, height: 144) && strip.data.count > 500)
    #expect(strip.html.contains("src=\"data:video/mp4;base64,") && strip.html.contains("<span>&lt;new&gt;</span>"))
    let left = try FileManager.default.contentsOfDirectory(atPath: directory.path)
    #expect(left.isEmpty)
  }
}
