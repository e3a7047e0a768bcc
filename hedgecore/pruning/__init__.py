"""Which weights of a network are kept: masks, criteria, and lottery tickets rewound to theta_0."""
