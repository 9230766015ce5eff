"""How much must be cut off a group's entries until its norm is small enough.

The least d >= 0 with ||(|g| - d)_+|| <= c + k d. With k = 0 it is the distance of g, in the maximum norm, from the
ball of radius c, the subdifferential of c ||.|| at 0: the nearest point's entries differ by at most d
just when each |g_i| can be lowered by up to d. With c = 0, d/t for k = (1 - t) w/t is the strength from which a sparse
group is 0.

F(d) = ||(|g| - d)_+|| - c - k d is convex and decreasing, so that its tangent, which lies below it, has its root
below d* from any point: Newton's bounds increase to d*, as in ``_group_prox``, with the same evaluations beyond them.
"""
