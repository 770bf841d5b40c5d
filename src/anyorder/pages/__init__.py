"""What every page of this project is made of: MiniGrid's tiles in one picture, views that can be clicked, one look.

A page is one HTML file that makes no request: `anyorder.pages.page` puts styles, scripts and data into it.
`anyorder.pages.atlas` draws the tiles, `anyorder.pages.views` turns arrays into what ``assets/grid.js`` shows.
"""
