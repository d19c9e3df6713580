"""Isolation as pictures: self-contained SVG and HTML, without a script, from network-policy's answer alone.

content: what is to be shown, out of the answer · layers: where the nodes of a graph stand · drawing: elements, text and
colours · matrix: who reaches whom · graph: one workspace's roles and flows · page: the same as HTML, with tables
"""
