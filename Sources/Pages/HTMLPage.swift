/// A page that needs nothing else: style and script are part of it.
package struct HTMLPage {
  private let title: String
  private let parts: [String]

  /// - Parameters:
  ///   - title: plain text, also the page's heading.
  ///   - parts: HTML, in order; empty ones are left out.
  package init(title: String, parts: [String]) {
    self.title = title
    self.parts = parts.filter { !$0.isEmpty }
  }

  package var text: String {
    let title = HTMLText.escaped(title)
    return """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(title)</title>
      <style>
      \(Self.resource(PackageResources.page_css))</style>
      </head>
      <body>
      <h1>\(title)</h1>
      \(parts.joined(separator: "\n"))
      <script>
      \(Self.resource(PackageResources.page_js))</script>
      </body>
      </html>

      """
  }

  private static func resource(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  /// A plot with its title, as HTML.
  package static func figure(_ title: String, _ svg: String) -> String {
    "<figure><figcaption>\(HTMLText.escaped(title))</figcaption>\(svg)</figure>"
  }
}
